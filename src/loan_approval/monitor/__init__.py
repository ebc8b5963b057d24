"""Live traffic against what the model was trained on."""
