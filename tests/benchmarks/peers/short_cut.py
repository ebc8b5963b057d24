"""Flask with a short cut: predictions are answered before Flask sees them, without a check or a metric."""

from collections.abc import Iterable
from typing import Any

from bare_scoring import decide_unchecked
from flask import Flask

flask = Flask(__name__)


@flask.get("/")
def status() -> dict[str, str]:
    return {"status": "online"}


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/api/v2/predict" or environ["REQUEST_METHOD"] != "POST":
        return flask(environ, start_response)
    answer = decide_unchecked(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
