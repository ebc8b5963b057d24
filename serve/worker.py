"""gunicorn's worker and logger, held to the service's promises: one error shape, and no caller's text in the log."""

import sys
from contextlib import suppress
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from serve import strict_json


class QuietLogger(Logger):
    """Says which class of error there was: messages and tracebacks quote what the caller sent."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log the class of the error at hand."""
        self.error_log.error("a request failed: %s", type(sys.exc_info()[1]).__name__)


class Worker(ThreadWorker):
    """Answers what is not HTTP as the application answers what is not JSON."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Send 400 for what can't be parsed, 500 for anything else, and close."""
        status, text = ("400 Bad Request", "not a valid HTTP request")
        if not isinstance(exc, ParseException):
            status, text = ("500 Internal Server Error", "internal error")
        self.log.warning("answered %s: %s", status, type(exc).__name__)
        body = strict_json.dumps({"error": text})
        headers = ["Connection: close", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        with suppress(OSError):  # the caller may be gone
            client.sendall("\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body)
