"""Live decisions beside what the model was trained on.

In: a window of the prediction log. Out: drift, volume, approvals by group, outcomes, the shadow's disagreement; a
verdict.
"""
