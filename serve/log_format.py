"""How the service logs: one JSON object a line."""

import json
import logging
import time


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and the `fields` given as extra."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; of an exception, the class alone, since its text may quote an applicant."""
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line | getattr(record, "fields", {}), ensure_ascii=False)
