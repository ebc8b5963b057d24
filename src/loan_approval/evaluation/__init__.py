"""How good probabilities and decisions are.

In: labels, probabilities, costs. Out: metrics with intervals, reliability, thresholds and review band, costs, fairness.
It knows no model and no file.
"""
