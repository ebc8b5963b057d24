"""From encoded rows to an exported model file. A new model is a new file in `factories/`.

In: a data set and the names of two factories. Out: a fitted, calibrated pipeline, its cross-validation, the ONNX file.
"""
