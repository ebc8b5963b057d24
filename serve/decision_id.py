"""The id of a decision."""

import os
import time


def make_decision_id() -> str:
    """Return a UUIDv7: ids sort by time. Source: RFC 9562, section 5.7."""
    random = os.urandom(10).hex()
    time_digits = f"{time.time_ns() // 1_000_000:012x}"
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{time_digits[:8]}-{time_digits[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
