import csv
import io
import json
import logging
import uuid
from typing import Any

import numpy as np
import pytest

from serve.api import batch
from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from tests.encoded_rows import draw_rows
from tests.serve.contract.test_cases import CASES

PATH = "/api/v2/predict/batch"
JSON, CSV = "application/json", "text/csv"
MARK = "7130425.5"  # a value that no message and no log line holds by chance


def write_csv(contract: Contract, applications: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    lines = csv.DictWriter(text, [feature.name for feature in contract.features])
    lines.writeheader()
    lines.writerows(applications)
    return text.getvalue()


def as_columns(contract: Contract, applications: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {f.name: [application.get(f.name) for application in applications] for f in contract.features}


@pytest.fixture
def applications(loans) -> list[dict[str, Any]]:
    """Applications of both answers, some with a missing value."""
    chance = np.random.default_rng(5)
    rows = []
    for row in range(300):
        ends = {f.name: (int(f.min), int(f.max)) for f in loans.scored}
        rows.append({name: int(chance.integers(low, high, endpoint=True)) for name, (low, high) in ends.items()})
        if row % 3 == 0:
            rows[-1]["Credit_Score"] = None
    return rows


@pytest.fixture
def one_by_one(client, applications) -> list[dict[str, Any]]:
    answers = [client.post("/api/v2/predict", json=application).json for application in applications]
    assert {answer["prediction_code"] for answer in answers} == {0, 1}
    return answers


def test_records_are_answered_by_records_as_one_by_one(client, applications, one_by_one):
    response = client.post(PATH, json=applications)
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
    assert response.json == one_by_one
    assert response.data == json.dumps(one_by_one, separators=(",", ":"), ensure_ascii=False).encode()


def test_columns_are_answered_by_columns_as_one_by_one(client, loans, applications, one_by_one):
    response = client.post(PATH, json=as_columns(loans, applications))
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
    assert list(response.json) == ["prediction", "prediction_code"]
    assert response.json == {key: [answer[key] for answer in one_by_one] for key in ("prediction", "prediction_code")}


@pytest.mark.parametrize("kind", [CSV, "text/csv; charset=UTF-8; header=present", "Text/CSV"])
def test_a_csv_is_answered_by_a_csv_as_one_by_one(client, loans, applications, one_by_one, kind):
    response = client.post(PATH, data=write_csv(loans, applications), content_type=kind)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    lines = [f"{answer['prediction']},{answer['prediction_code']}" for answer in one_by_one]
    assert response.data.decode() == "\r\n".join(["prediction,prediction_code", *lines, ""])


@pytest.fixture
def reasons(client, applications) -> list[list[str]]:
    """The codes that `/api/v2/decision` gives."""
    answers = [client.post("/api/v2/decision", json=application).json for application in applications[:40]]
    codes = [[reason["code"] for reason in answer["reasons"]] for answer in answers]
    assert len({tuple(each) for each in codes}) > 5
    return codes


def test_records_have_the_reasons_of_one_decision_each(client, applications, one_by_one, reasons):
    answer = client.post(f"{PATH}?reasons=true", json=applications[:40]).json
    assert answer == [one | {"reasons": codes} for one, codes in zip(one_by_one[:40], reasons, strict=True)]


def test_columns_have_the_reasons_of_one_decision_each(client, loans, applications, one_by_one, reasons):
    answer = client.post(f"{PATH}?reasons=true", json=as_columns(loans, applications[:40])).json
    assert list(answer) == ["prediction", "prediction_code", "reasons"]
    assert answer["reasons"] == reasons
    assert answer["prediction"] == [one["prediction"] for one in one_by_one[:40]]


def test_a_csv_has_the_reasons_of_one_decision_each(client, loans, applications, one_by_one, reasons):
    body = write_csv(loans, applications[:40])
    response = client.post(f"{PATH}?reasons=true", data=body, content_type=CSV)
    lines = list(csv.DictReader(io.StringIO(response.text)))
    assert [line["reasons"].split() for line in lines] == reasons
    assert [line["prediction_code"] for line in lines] == [str(one["prediction_code"]) for one in one_by_one[:40]]


@pytest.mark.parametrize("model", ["boosted", "boosted_calibrated", "boosted_wide"])
def test_trees_give_a_batch_the_reasons_of_one_decision_each(shelf, make_app, model):
    shelf.promote(model)
    client, contract = make_app().test_client(), Scorer(shelf.model_file(model)).contract
    X = draw_rows(contract.scored, 30)
    rows = [{f.name: f.decode(x) for f, x in zip(contract.scored, row, strict=True)} for row in X.tolist()]
    batch = client.post(f"{PATH}?reasons=true", json=rows).json
    alone = [client.post("/api/v2/decision", json=row).json for row in rows]
    assert [each["reasons"] for each in batch] == [[reason["code"] for reason in each["reasons"]] for each in alone]
    assert [each["prediction_code"] for each in batch] == [each["prediction_code"] for each in alone]


@pytest.mark.parametrize(("query", "status"), [("reasons=false", 200), ("reasons=1", 400), ("reasons=true&" * 2, 400)])
def test_reasons_are_asked_for_by_true_once(client, application, query, status):
    response = client.post(f"{PATH}?{query}", json=[application])
    assert response.status_code == status
    assert "reasons" not in response.json[0] if status == 200 else "query.reasons" in response.json["error"]


@pytest.mark.parametrize(("rows", "status"), [(3, 200), (4, 413)])
def test_more_rows_than_can_be_explained_at_once_are_too_large(shelf, make_app, application, monkeypatch, rows, status):
    monkeypatch.setattr("serve.model.shapley.MOST_ROWS", 3)
    shelf.promote("loans")
    client = make_app().test_client()
    response = client.post(f"{PATH}?reasons=true", json=[application] * rows)
    assert response.status_code == status
    assert status == 200 or response.json == {"error": "more than 3 rows with reasons, send them in several requests"}
    assert client.post(PATH, json=[application] * rows).status_code == 200


def test_the_log_has_the_reasons_of_each_row(shelf, make_app, applications, tmp_path):
    shelf.promote("loans")
    app = make_app(prediction_log=tmp_path / "log")
    answer = app.test_client().post(f"{PATH}?reasons=true", json=applications[:200]).json
    app.extensions["prediction_log"].close()
    (file,) = (tmp_path / "log/decisions").glob("*/*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["reasons"] for line in lines] == [each["reasons"] for each in answer]
    assert any(each["reasons"] for each in answer)


def test_a_label_is_quoted_where_csv_wants_it():
    labels = {"0": 'No, "never"', "1": "Sim"}
    target = {"name": "y", "meaning": "repaid", "positive": "1", "labels": labels}
    features = [{"name": "a", "type": "number", "min": 0, "max": 1, "example": 1}]
    names = {"format": 1, "model_name": "m", "experiment": "e", "split_salt": "s"}
    contract = Contract.from_dict(names | {"target": target, "feature": features})
    answer = batch._render_csv(contract, np.array([0, 1]))
    assert answer == b'prediction,prediction_code\r\n"No, ""never""",0\r\nSim,1\r\n'
    assert json.loads(batch._render_records(contract, np.array([0])))[0]["prediction"] == labels["0"]


def test_a_batch_names_itself_and_the_model_in_headers(client, shelf, application):
    headers = [client.post(PATH, json=[application] * 2).headers for _ in range(2)]
    ids = [uuid.UUID(header["X-Decision-Id"]) for header in headers]
    assert [decision.version for decision in ids] == [7, 7]
    assert ids[0] != ids[1]
    assert headers[0]["X-Model-Version"] == "7"
    assert headers[0]["X-Model-Sha256"] == shelf.store.pointer().sha256


@pytest.mark.parametrize("send", [{}, {"json": []}, {"data": "a,b", "content_type": CSV}])
def test_a_batch_without_a_model_is_503(empty_client, send):
    response = empty_client.post(PATH, **send)
    assert response.status_code == 503
    assert response.json["error"].startswith("Modelo não está disponível.")


def test_every_problem_of_a_batch_is_named_by_row_and_field_and_nothing_is_decided(client, application):
    response = client.post(PATH, json=[application, application | {"Age": 17}, {"Shoe_Size": 44}, 7])
    assert response.status_code == 422
    fields = response.json["fields"]
    assert fields.pop("2.Shoe_Size").startswith("unknown field, expected Age, ")
    assert response.json == {"error": "the application breaks the contract", "fields": response.json["fields"]}
    assert fields == {
        "1.Age": "out of range, expected a whole number from 18 to 100 or null",
        "2.Loan_Amount": "missing, expected a number from 500 to 1000000",
        "2.Loan_Duration_Years": "missing, expected a whole number from 1 to 30",
        "3": "not an object, expected the features of one application",
    }


REFUSED = [
    (400, "", JSON),
    (400, f"[{MARK},", JSON),
    (400, f'[{{"Age": {MARK}, "Age": {MARK}}}]', JSON),
    (400, f'{{"Age": [{MARK}], "Age": [{MARK}]}}', JSON),
    (400, f"[NaN, {MARK}]", JSON),
    (400, f"{'[' * 5000}{MARK}", JSON),
    (415, f"[{MARK}]", "text/plain"),
    (415, f"[{MARK}]", None),
    (415, f"Age\n{MARK}", "text/csv; charset=latin-1"),
    (415, f"Age\t{MARK}", "text/tab-separated-values"),
    (422, "[]", JSON),
    (422, "{}", JSON),
    (422, MARK, JSON),
    (422, f'"{MARK}"', JSON),
    (422, f'[{{"Age": {MARK}}}, {MARK}]', JSON),
    (422, f'{{"Age": {MARK}, "Loan_Amount": ["{MARK}"], "Credit_Score": [{MARK}, {MARK}]}}', JSON),
    (422, "", CSV),
    (422, f"Age\n{MARK}\n", CSV),
    (422, f'Age\n"{MARK}', CSV),
    (422, f"Age\n{MARK}\xff".encode("latin-1"), CSV),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSED, ids=[f"{s}-{n}" for n, (s, _, _) in enumerate(REFUSED)])
def test_a_refusal_has_the_one_shape_and_neither_answer_nor_log_holds_the_value(client, caplog, status, body, kind):
    caplog.set_level(logging.DEBUG)
    response = client.post(PATH, data=body, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, JSON)
    assert set(response.json) == ({"error", "fields"} if status == 422 else {"error"})
    assert MARK not in response.text + str(response.headers) + caplog.text


@pytest.mark.parametrize("shape", ["records", "columns", "csv", "quoted csv"])
@pytest.mark.parametrize(("rows", "status"), [(50, 200), (51, 413)])
def test_more_rows_than_the_limit_are_too_large(shelf, make_app, loans, application, shape, rows, status):
    shelf.promote("loans")
    client = make_app(max_batch_rows=50).test_client()
    applications = [application] * rows
    text = write_csv(loans, applications) + "\r\n\r\n"
    if shape == "quoted csv":
        text = text.replace("Age", '"Age"')
    csv_body = {"data": text, "content_type": CSV}
    bodies = {"records": {"json": applications}, "columns": {"json": as_columns(loans, applications)}}
    response = client.post(PATH, **bodies.get(shape, csv_body))
    assert response.status_code == status
    assert status == 200 or response.json == {"error": "more than 50 rows, send them in several requests"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *[("[" + "{}," * 5000 + "{}]", JSON), ("[" + "1.5," * 5000 + "1]", JSON), ("[" * 5000, JSON)],
        *[("a,b" + "\n" * 5000 + '"x', CSV), ("a,b" + "\r" * 5000 + "x", CSV), ("," * 5000, CSV)],
    ],
    ids=lambda part: part[:10],
)
def test_a_body_of_countless_small_items_is_refused_before_it_is_read(shelf, make_app, monkeypatch, body, kind):
    shelf.promote("loans")
    app = make_app(max_batch_rows=5)
    monkeypatch.setattr(batch.strict_json, "loads_in_pieces", None)
    monkeypatch.setattr(batch, "encode_csv", None)
    response = app.test_client().post(PATH, data=body, content_type=kind)
    assert response.status_code == 413
    assert response.json == {"error": "more than 5 rows, send them in several requests"}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("spare", "status"), [(1, 200), (-1, 413)])
def test_a_batch_has_a_limit_of_bytes_of_its_own(shelf, make_app, application, chunked, spare, status):
    shelf.promote("loans")
    body = json.dumps([application] * 50).encode()
    client = make_app(max_body_bytes=10, max_batch_bytes=len(body) + spare).test_client()
    if chunked:
        environment = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
        response = client.post(PATH, content_type=JSON, environ_overrides=environment)
    else:
        response = client.post(PATH, data=body, content_type=JSON)
    assert response.status_code == status
    assert client.post("/api/v2/predict", json=application).status_code == 413


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("shape", ["records", "columns"])
def test_a_batch_judges_the_shared_case_as_predict_does(client, loans, application, case, shape):
    judged = case["application"]
    if shape == "records":
        table: Any = [application, judged]
    elif isinstance(judged, dict):
        names = [*as_columns(loans, []), *(name for name in judged if name not in application)]
        table = {name: [row.get(name) for row in (application, judged)] for name in names}
    else:
        table = judged if not isinstance(judged, list) else 1  # a list is a batch of records
    response = client.post(PATH, data=json.dumps(table), content_type=JSON)
    assert response.status_code == (422 if case["fields"] else 200)
    fields = response.json["fields"] if case["fields"] else {}
    unknown = set() if shape == "records" else set(judged) - set(application) if isinstance(judged, dict) else {""}
    places = {name: name if name in unknown else f"1.{name}" if name else "1" for name in case["fields"]}
    assert set(fields) == set(places.values())
    for name, part in case["fields"].items():
        part = part if name not in unknown else part.replace("field", "column").replace("not an object", "neither")
        assert part in fields[places[name]]


@pytest.mark.parametrize("case", [c for c in CASES if c["csv"] != "not expressible"], ids=lambda case: case["name"])
def test_a_csv_batch_judges_the_shared_case_as_the_loader_does(client, loans, application, case):
    body = write_csv(loans, [application, case["application"]])
    response = client.post(PATH, data=body, content_type=CSV)
    expected = {} if case["csv"] == "accepted" else {f"1.{name}": part for name, part in case["fields"].items()}
    assert response.status_code == (422 if expected else 200)
    fields = response.json["fields"] if expected else {}
    assert set(fields) == set(expected)
    for name, part in expected.items():
        assert part in fields[name]
