"""The serving side: from an application to a decision, without any training library."""

import os

# onnxruntime reads this when it is imported; without it, it writes telemetry files below HOME.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
