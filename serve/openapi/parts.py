"""The parts that every section of the OpenAPI document is put together from."""

from typing import Any

TITLES = {
    "400": "Not JSON, or not strict JSON",
    "404": "Another model or version",
    "413": "The body is too large, or has too many rows",
    "415": "The content type is not one that is read here",
    "422": "The application breaks the contract; of many, a problem is named by `<row>.<field>`, rows from 0",
    "503": "No model is loaded",
}
HEADERS = {
    "X-Decision-Id": {"description": "UUIDv7 of this decision", "schema": {"type": "string", "format": "uuid"}},
    "X-Model-Version": {"description": "Version in the registry", "schema": {"type": "string"}},
    "X-Model-Sha256": {"description": "Hash of the model file", "schema": {"type": "string"}},
}
# Where decisions are logged; elsewhere it is not looked at.
APPLICANT = {
    **{"name": "X-Applicant-Key", "in": "header", "required": False},
    "description": "Who applies, by a key of the caller's: the prediction log keeps its keyed hash, by which what is "
    "known of an applicant can be erased",
    # Printable ASCII without a comma: of a header that stands twice one could not say which was meant.
    "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[!-+\--~]([ -+\--~]*[!-+\--~])?$"},
}


def typed(kind: str, values: list[Any] | None = None) -> dict[str, Any]:
    """Return the schema of a type, or of some of its values."""
    return {"type": kind} | ({"enum": values} if values else {})


def make_object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """Return the schema of an object; all of its properties are required unless said."""
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required}


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def reference(schema: str) -> dict[str, Any]:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{schema}"}


def json_content(schema: str, example: Any = None) -> dict[str, Any]:
    """Return the content of a body in JSON."""
    return {"application/json": {"schema": reference(schema)} | ({"example": example} if example else {})}


def answer(title: str, schema: str | None) -> dict[str, Any]:
    """Return an answer in JSON, of any shape without a schema."""
    content = json_content(schema) if schema else {"application/json": {"schema": {}}}
    return {"description": title, "content": content}


def get(title: str, schema: str | None = None, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a GET operation."""
    return {"summary": title, "responses": {"200": answer(title, schema)} | (otherwise or {})}


def get_page(title: str, missing: str) -> dict[str, Any]:
    """Return a GET operation of the loaded model that answers with a page; `missing` says what its 404 means."""
    page = {"description": title, "content": {"text/html": {"schema": typed("string")}}}
    return {"summary": title, "responses": {"200": page, "404": answer(missing, "Error"), **error_answers("503")}}


def post(
    title: str, operation: str, content: dict[str, Any], answers: tuple[str, str], errors: tuple[str, ...]
) -> dict[str, Any]:
    """Return a POST operation that decides; `answers` are the title and the schema of its 200."""
    return {
        "summary": title,
        "operationId": operation,
        "parameters": [APPLICANT],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answer(*answers) | {"headers": HEADERS}} | error_answers(*errors),
    }


def error_answers(*codes: str) -> dict[str, Any]:
    """Return the answers with these statuses, all of the one shape."""
    return {code: answer(TITLES[code], "Error") for code in codes}
