"""One verified model file, and why it says what it says.

In: the bytes of a model file and encoded rows. Out: `Scorer` with probabilities and decisions, Shapley values, the
principal reasons, counterfactuals.
"""
