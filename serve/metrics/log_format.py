"""Logs JSON objects, one a line, on standard error. An exception is named by its class alone."""

import json
import logging
import sys
import threading
import time


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, process, message, and the `fields` in extra."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; of an exception only the class, since its text may quote an applicant."""
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name}
        line |= {"pid": record.process, "message": record.getMessage()}
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
        # A field can't replace one of these, and in ASCII no character ends a line or moves a cursor.
        return json.dumps(line | getattr(record, "fields", {}) | line)


def log_as_json(level: int = logging.INFO) -> None:
    """Log this way from now on, also warnings and uncaught exceptions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(*args)


def _log_uncaught(*exc_info_and_thread: object) -> None:
    logging.getLogger("serve").critical("a thread or the process failed", exc_info=exc_info_and_thread[:3])
