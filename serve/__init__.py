"""The serving side: from an application to a decision, without any training library.

To read it in order: `__main__` starts the workers; `http` turns bytes into requests; `api` answers them, by the fast
lane or by Flask; `contract` and `model` decide; `store` says which model answers and `registry` brings it here;
`records`, `metrics` and `shadow` keep what happened. Each package's docstring says what goes in and out.
"""

import os

__version__ = "0.1.0"

# onnxruntime reads this when it is imported; without it, it writes telemetry files below HOME.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
