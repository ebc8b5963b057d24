"""The door in Flask: what is not free needs a key."""

from flask import Flask, Response, request

from serve.api import respond
from serve.keys import Keys
from serve.observation import Observer

FREE = ("/", "/ping")
FREE_BELOW = "/health/"
CHALLENGES = ('Bearer realm="loan-approval"', 'Basic realm="loan-approval", charset="UTF-8"')


def require_keys(app: Flask, keys: Keys, observer: Observer) -> None:
    """Have the application answer 401 to whoever has no valid key, before it looks at anything else."""

    @app.before_request
    def check() -> Response | None:
        # By the route that will answer, not by the path: two readers of one path could disagree.
        rule = request.url_rule.rule if request.url_rule else ""
        if rule in FREE or rule.startswith(FREE_BELOW):
            return None
        names = ("authorization", "x-api-key")
        name = keys.holder({name.encode(): request.headers.get(name, "").encode("latin-1") for name in names})
        if name:
            observer.used_key(name)
            return None
        response = respond({"error": "expected a valid API key"}, 401)
        for challenge in CHALLENGES:
            response.headers.add("WWW-Authenticate", challenge)
        return response
