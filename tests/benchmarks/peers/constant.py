"""A constant answer as bare ASGI: what uvicorn costs by itself."""

from typing import Any

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
BODY = b'{"prediction":"Approved","prediction_code":1}'
START["headers"].append((b"content-length", str(len(BODY)).encode()))
END = {"type": "http.response.body", "body": BODY}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(END)
