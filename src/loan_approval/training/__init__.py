"""From encoded rows to an exported model file.

In: a data set and the names of two factories. Out: a fitted, calibrated pipeline, its cross-validation, and the ONNX
file. A new model is a new file in `factories/`.
"""
