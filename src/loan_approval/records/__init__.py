"""What was decided: the prediction log read, replayed, reviewed, kept for its time and erased."""
