"""One verified model file: its scores, and the explanations of its decisions.

In: the bytes of a model file and encoded rows. Out: `Scorer` with probabilities and decisions, Shapley values,
principal reasons, counterfactuals.
"""
