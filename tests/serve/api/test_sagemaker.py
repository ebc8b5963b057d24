import json

import pytest

from tests.serve.api.test_mlflow_scoring import BAD, CSV, GOOD, NAMES, RECORDS, invoke

ROWS_ALONE = CSV.partition("\n")[2]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def send(client, body: str, kind: str, accept: str | None = None, attributes: str | None = None):
    headers = {"Accept": accept, ATTRIBUTES: attributes}
    return client.post(
        "/invocations", data=body, content_type=kind, headers={k: v for k, v in headers.items() if v is not None}
    )


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_without_a_header_is_in_contract_order(client, end, mark):
    body = mark + ROWS_ALONE.replace("\n", end)
    expected = invoke(client, CSV, "text/csv").json
    assert send(client, mark + CSV, "text/csv").json == expected
    assert send(client, body, "text/csv").json == expected == {"predictions": [1, 0, 1]}


def test_an_empty_cell_of_the_first_row_is_missing(client):
    assert send(client, "," + ",".join(map(str, GOOD[1:])), "text/csv").json == {"predictions": [1]}


def test_a_header_that_names_no_feature_is_still_a_header(client):
    response = send(client, "a,b,c,d,e,f,g\n" + ROWS_ALONE, "text/csv")
    assert response.status_code == 422
    assert {"Loan_Amount", "a"} <= set(response.json["fields"])


def test_a_first_row_of_another_width_is_a_header(client):
    response = send(client, "45,85000\n", "text/csv")
    assert response.status_code == 422
    assert response.json["fields"]["Loan_Amount"].startswith("missing column")


def test_a_value_that_breaks_the_contract_is_named_by_row_and_feature(client):
    response = send(client, f"{','.join(map(str, GOOD))}\n17,{','.join(map(str, GOOD[1:]))}\n", "text/csv")
    assert (response.status_code, set(response.json["fields"])) == (422, {"1.Age"})


@pytest.mark.parametrize("kind", ["application/jsonlines", "application/x-ndjson"])
def test_json_lines_are_answered_in_lines(client, kind):
    response = send(client, LINES, kind)
    assert (response.status_code, response.mimetype, response.text) == (200, "application/jsonlines", "1\n0\n1\n")


@pytest.mark.parametrize("body", ["", "{", "1\n2", '{"Age": 45},{"Age": 45}', LINES.replace("\n", "\n\n"), "[{},\n{}]"])
def test_lines_that_are_not_one_application_each_are_refused(client, body):
    assert send(client, body, "application/jsonlines").status_code in (400, 422)


def test_a_document_on_two_lines_does_not_make_up_for_two_on_one(client):
    one = LINES.splitlines()[0]
    response = send(client, f"{one},{one}\n" + one.replace(",", "\n", 1), "application/jsonlines")
    assert response.status_code == 400
    assert response.json["error"].startswith("line 1: ")


@pytest.mark.parametrize("broken", ['{"x": "a\n{b"}', '{"x": [{}\n{}]}', '{"x": {}\n{}}', '{"x": 1\n"y": 2}'])
@pytest.mark.parametrize("end", ["", " "])
def test_lines_read_at_once_are_judged_as_each_line_alone(client, broken, end):
    response = send(client, f"{LINES}{{}},{{}}{end}\n{broken}", "application/jsonlines")
    assert response.status_code == 400
    assert response.json["error"].startswith("line 4: ")


@pytest.mark.parametrize(
    ("body", "status"), [("{\n" * 3, 413), ("{\n{\n{", 413), ("{\n{", 400), ("{\r\n{\r\n\r\n", 400)]
)
def test_lines_are_counted_before_they_are_read(shelf, make_app, body, status):
    shelf.promote("loans")
    assert send(make_app(max_batch_rows=2).test_client(), body, "application/jsonlines").status_code == status


def test_what_is_accepted_decides_the_form_of_the_answer(client):
    assert send(client, CSV, "text/csv", accept="text/csv").text == "1\r\n0\r\n1\r\n"
    assert send(client, LINES, "application/jsonlines", accept="application/json").json == {"predictions": [1, 0, 1]}
    assert send(client, CSV, "text/csv", accept="application/jsonlines").text == "1\n0\n1\n"
    assert send(client, CSV, "text/csv", accept="*/*").json == {"predictions": [1, 0, 1]}


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json;q=0.5, application/jsonlines", "application/jsonlines"),
        ("application/jsonlines;q=0.1, */*", "application/json"),
        ("text/csv, */*;q=0.1", "text/csv"),
        ("text/csv, application/json", "text/csv"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv;q=0", "application/json"),
        ("application/x-ndjson", "application/jsonlines"),
        ("image/png", "application/json"),
    ],
)
def test_the_form_accepted_most_is_answered(client, accept, form):
    assert send(client, CSV, "text/csv", accept=accept).mimetype == form


def test_lines_stay_lines_where_anything_is_accepted(client):
    assert send(client, LINES, "application/jsonlines", accept="text/html, */*;q=0.8").text == "1\n0\n1\n"


def test_custom_attributes_ask_for_more(client):
    response = send(client, LINES, "application/jsonlines", attributes="details=true, reasons=true")
    documents = [json.loads(line) for line in response.text.splitlines()]
    assert [document["code"] for document in documents] == [1, 0, 1]
    assert {tuple(document) for document in documents} == {
        ("code", "label", "probability", "band", "decision_id", "reasons")
    }
    first = send(client, CSV, "text/csv", "text/csv", "details=true").text.splitlines()[0].split(",")
    assert first[:2] + first[3:] == ["1", "Approved", "approve", first[4]]
    params = client.post(
        "/invocations",
        json={
            "inputs": {name: [bad, good] for name, bad, good in zip(NAMES, BAD, GOOD, strict=True)},
            "params": {"details": True},
        },
    )
    assert [each["code"] for each in params.json["predictions"]] == [0, 1]


@pytest.mark.parametrize("attributes", ["c000b4f9-df62-4c85-a0bf-7c525f9104a4", "request 7"])
def test_an_id_of_the_caller_s_own_asks_for_nothing(client, attributes):
    assert send(client, CSV, "text/csv", attributes=attributes).json == {"predictions": [1, 0, 1]}
    both = send(client, LINES, "application/jsonlines", attributes=f"{attributes}, details=true")
    assert "decision_id" in json.loads(both.text.splitlines()[0])


@pytest.mark.parametrize("attributes", ["details", "details=yes", "more=true", "details=true;reasons=true"])
def test_custom_attributes_that_are_not_known_are_400(client, attributes):
    response = send(client, CSV, "text/csv", attributes=attributes)
    assert response.status_code == 400
    assert response.json["error"].startswith(ATTRIBUTES)
