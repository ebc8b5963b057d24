import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from serve import errors, strict_json
from serve.errors import ApplicationError, JSONError, RequestError, ServeError
from serve.model.scorer import Scorer

MARK = "7130425.5"  # a value no message and no log line has by chance
NO_MODEL = (
    '{"error":"Modelo não está disponível. Verifique os logs e se um modelo possui o alias \'production\'."}'.encode()
)
OURS = (
    *(ServeError, errors.SettingsError, errors.ContractError, errors.ModelFileError, errors.RegistryError),
    *(errors.StoreError, errors.StoreBusyError, errors.SignatureError),
)
STATUSES = {ApplicationError: 422, JSONError: 400, RequestError: 400} | dict.fromkeys(OURS, 500)


def subclasses(base: type) -> set[type]:
    return {base}.union(*(subclasses(sub) for sub in base.__subclasses__()))


class BrokenContract:
    """Fails on every application."""

    def __init__(self, make_error: Callable[[object], Exception]) -> None:
        self.make_error = make_error

    def encode(self, application: object) -> None:
        raise self.make_error(application)


class BrokenScorer(Scorer):
    """Has a broken contract."""

    def __init__(self, make_error: Callable[[object], Exception]) -> None:
        self.contract = BrokenContract(make_error)


def break_scorer(client, make_error: Callable[[object], Exception]) -> None:
    live = client.application.extensions["live_model"]
    live.current = replace(live.current, scorer=BrokenScorer(make_error))


def test_status_with_a_model_is_the_published_answer(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.data == (
        b'{"status":"online","model_loaded":true,"model_name":"loan_approval_model","model_alias":"production"}'
    )


def test_status_without_a_model_names_what_the_server_was_told_to_load(make_app):
    response = make_app(model_name="boston", model_alias="challenger").test_client().get("/")
    assert response.status_code == 200
    assert response.data == (
        b'{"status":"online","model_loaded":false,"model_name":"boston","model_alias":"challenger"}'
    )


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("loans", '{"prediction":"Approved","prediction_code":1}'),
        ("loans_strict", '{"prediction":"Não Aprovado","prediction_code":0}'),
    ],
)
def test_predict_is_the_published_answer(shelf, make_app, application, model, answer):
    shelf.promote(model)
    response = make_app().test_client().post("/api/v2/predict", json=application)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.data == answer.encode()


def test_predict_names_the_decision_and_the_model_in_headers(client, shelf, application):
    headers = client.post("/api/v2/predict", json=application).headers
    decision = uuid.UUID(headers["X-Decision-Id"])
    assert (decision.version, decision.variant, str(decision)) == (7, uuid.RFC_4122, headers["X-Decision-Id"])
    assert headers["X-Model-Version"] == "7"
    assert headers["X-Model-Sha256"] == shelf.store.pointer().sha256


def test_each_decision_has_its_own_id(client, application):
    ids = [client.post("/api/v2/predict", json=application).headers["X-Decision-Id"] for _ in range(20)]
    assert len(set(ids)) == 20


@pytest.mark.parametrize("send", [{}, {"json": {}}, {"data": "{", "content_type": "application/json"}])
def test_predict_without_a_model_is_503_with_the_published_message(empty_client, send):
    response = empty_client.post("/api/v2/predict", **send)
    assert (response.status_code, response.data) == (503, NO_MODEL)


def test_the_message_without_a_model_names_the_alias_the_server_was_told(make_app):
    response = make_app(model_alias="challenger").test_client().get("/api/v2/model")
    assert response.status_code == 503
    assert "'challenger'" in response.json["error"]


def test_a_swapped_model_answers_the_next_request(client, shelf, application):
    shelf.promote("loans_strict", version="8")
    client.application.extensions["live_model"].refresh()
    response = client.post("/api/v2/predict", json=application)
    assert (response.json["prediction_code"], response.headers["X-Model-Version"]) == (0, "8")


def test_model_describes_the_file_without_its_background_and_golden_rows(client, shelf, loans):
    document = client.get("/api/v2/model").json
    assert document["contract"] == loans.to_dict()
    assert document["decision"]["threshold"] == 0.55
    assert document["sha256"] == shelf.store.pointer().sha256
    assert set(document) == {
        *("name", "alias", "version", "run", "sha256", "contract", "decision", "provenance"),
        *("metrics", "gates", "verdict"),
    }


def test_all_faults_are_answered_at_once_by_field_with_what_was_expected(client):
    response = client.post("/api/v2/predict", json={"Age": 17, "Loan_Amount": "much", "Shoe_Size": 44})
    assert response.status_code == 422
    assert set(response.json) == {"error", "fields"}
    fields = response.json["fields"]
    assert fields.pop("Shoe_Size").startswith("unknown field, expected Age, Annual_Income, ")
    assert fields == {
        "Age": "out of range, expected a whole number from 18 to 100 or null",
        "Loan_Amount": "not a number, expected a number from 500 to 1000000",
        "Loan_Duration_Years": "missing, expected a whole number from 1 to 30",
    }


JSON = "application/json"
REFUSED = [
    (400, "", JSON),
    (400, MARK + ",", JSON),
    (400, f'{{"Age": NaN, "Loan_Amount": {MARK}}}', JSON),
    (400, f'{{"Age": {MARK}, "Age": {MARK}}}', JSON),
    (400, f"{'[' * 5000}{MARK}", JSON),
    (400, b'{"Age": "7130425.5\xff"}', JSON),
    (413, f'{{"Age": "{MARK * 20_000}"}}', JSON),
    (415, f'{{"Age": {MARK}}}', "text/plain"),
    (415, f"Age={MARK}", "application/x-www-form-urlencoded"),
    (415, f'{{"Age": {MARK}}}', None),
    (422, f"[{MARK}]", JSON),
    (422, f'"{MARK}"', JSON),
    (422, f'{{"Age": {MARK}, "Credit_Score": "{MARK}", "Loan_Amount": [{MARK}], "x": {MARK}}}', JSON),
    (422, f'{{"Age": {{"{MARK}": {MARK}}}}}', JSON),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSED, ids=[f"{s}-{n}" for n, (s, _, _) in enumerate(REFUSED)])
def test_a_refusal_has_the_one_shape_and_neither_answer_nor_log_holds_the_value(client, caplog, status, body, kind):
    caplog.set_level(logging.DEBUG)
    response = client.post("/api/v2/predict", data=body, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, JSON)
    assert set(response.json) == ({"error", "fields"} if status == 422 else {"error"})
    assert MARK not in response.text + str(response.headers) + caplog.text


@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_taken_however_its_content_type_is_written(client, loans, kind):
    body = strict_json.dumps(loans.example())
    assert client.post("/api/v2/predict", data=body, content_type=kind).status_code == 200


@pytest.mark.parametrize("number", ["45", "45.0", "4.5e1", "450E-1", "45.00000000000000000001"])
def test_a_whole_number_is_one_however_it_is_written(client, number):
    body = f'{{"Age": {number}, "Loan_Amount": 25e3, "Loan_Duration_Years": 1E+1}}'
    assert client.post("/api/v2/predict", data=body, content_type=JSON).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/{MARK}", 404),
        ("POST", f"/api/v2/predict/{MARK}", 404),
        ("GET", f"/api/v2/predict?Age={MARK}", 405),
        ("DELETE", f"/?Age={MARK}", 405),
    ],
)
def test_an_unknown_address_or_method_has_the_one_shape_without_the_value(client, caplog, method, path, status):
    caplog.set_level(logging.DEBUG)
    response = client.open(path, method=method)
    assert (response.status_code, set(response.json)) == (status, {"error"})
    assert MARK not in response.text + caplog.text
    assert bool(response.headers.get("Allow")) == (status == 405)


def test_an_unforeseen_error_is_500_and_neither_answer_nor_log_holds_message_or_value(client, caplog, application):
    caplog.set_level(logging.DEBUG)
    break_scorer(client, lambda application: ZeroDivisionError(f"weird income {application['Annual_Income']}"))
    response = client.post("/api/v2/predict", json=application | {"Annual_Income": float(MARK)})
    assert (response.status_code, response.data) == (500, b'{"error":"internal error"}')
    assert re.search(r"ZeroDivisionError at .*test_predict\.py:\d+ < .*predict\.py:\d+", caplog.text)
    assert MARK not in caplog.text
    assert "weird" not in caplog.text


def test_each_error_class_has_a_status():
    assert subclasses(ServeError) == set(STATUSES)


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda part: getattr(part, "__name__", part))
def test_an_error_class_is_answered_with_its_status(client, application, error, status):
    arguments = {ApplicationError: [{"Age": "missing"}], errors.ContractError: ["contract", ["broken"]]}
    break_scorer(client, lambda _application: error(*arguments.get(error, ["the reason"])))
    response = client.post("/api/v2/predict", json=application)
    assert response.status_code == status
    expected = {400: "the reason", 422: "the application breaks the contract", 500: "internal error"}
    assert response.json["error"] == expected[status]
