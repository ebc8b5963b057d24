"""How a thread of the server that answers nobody behaves towards those that do."""

import os
from contextlib import suppress


def use_batch_scheduling() -> None:
    """Have the calling thread wake without pushing aside a thread that answers, where the system knows such a thing.

    A lower share of the processor would do harm: whoever waits for it may hold the interpreter's lock, and all wait.
    """
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
