import json
import re
from dataclasses import replace

import pytest

from serve.api.tensors import NUMBERS
from serve.contract.feature import LANGUAGES, Feature
from serve.model.scorer import Scorer
from serve.openapi.document import FILE, make_document
from serve.records.applicant import is_key


@pytest.fixture(scope="module")
def mixed(model_file):
    return make_document(Scorer(model_file("mixed")).contract)["components"]["schemas"]


def test_a_document_holds_nothing_of_a_contract_asked_for_before(loans):
    before = json.dumps(make_document(None))
    assert json.dumps(make_document(loans)) != before
    assert json.dumps(make_document(None)) == before


def test_every_part_of_the_file_is_used_and_exists():
    text = FILE.read_text(encoding="utf-8")
    assert set(re.findall(r'"@(\w+)"', text)) == set(json.loads(text)["parts"])


def test_what_the_file_repeats_of_the_code_is_what_the_code_says():
    schemas = make_document(None)["components"]["schemas"]
    assert tuple(schemas["Text"]["oneOf"][1]["properties"]) == LANGUAGES
    assert set(schemas["Tensor"]["properties"]["datatype"]["enum"]) == {*NUMBERS, "BYTES"}


def test_every_documented_operation_exists_and_every_route_is_documented(client):
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith(("/app", "/docs", "/openapi.json"))
    }
    paths = client.get("/openapi.json").json["paths"]
    assert {(path, method) for path, operations in paths.items() for method in operations} == rules


@pytest.mark.parametrize(("path", "method"), [("/", "get"), ("/api/v2/model", "get"), ("/health/ready", "get")])
@pytest.mark.parametrize("server", ["client", "empty_client"])
def test_an_answer_has_a_documented_status(request, server, path, method):
    client = request.getfixturevalue(server)
    operation = client.get("/openapi.json").json["paths"][path][method]
    assert str(client.open(path, method=method).status_code) in operation["responses"]


@pytest.mark.parametrize("path", ["/", "/health/live"])
def test_a_route_that_answers_without_a_model_documents_no_503(client, path):
    responses = client.get("/openapi.json").json["paths"][path]["get"]["responses"]
    assert set(responses) == {"200"} | ({"303"} if path == "/" else set())  # a browser is sent to /app


def test_readiness_documents_its_own_answer(client):
    responses = client.get("/openapi.json").json["paths"]["/health/ready"]["get"]["responses"]
    references = {code: answer["content"]["application/json"]["schema"]["$ref"] for code, answer in responses.items()}
    assert references == {"200": "#/components/schemas/Health", "503": "#/components/schemas/Error"}


def test_the_documented_example_is_answered_as_documented(client):
    document = client.get("/openapi.json").json
    predict = document["paths"]["/api/v2/predict"]["post"]
    response = client.post("/api/v2/predict", json=predict["requestBody"]["content"]["application/json"]["example"])
    answer = document["components"]["schemas"]["Prediction"]
    assert response.status_code == 200
    assert list(response.json) == answer["required"] == list(answer["properties"])
    assert response.json["prediction"] in answer["properties"]["prediction"]["enum"]
    assert set(predict["responses"]["200"]["headers"]) <= set(response.headers.keys())


@pytest.mark.parametrize("shape", ["records", "columns", "csv"])
def test_a_documented_batch_is_answered_as_documented(client, shape):
    batch = client.get("/openapi.json").json["paths"]["/api/v2/predict/batch"]["post"]
    content = batch["requestBody"]["content"]
    if shape == "csv":
        response = client.post("/api/v2/predict/batch", data=content["text/csv"]["example"], content_type="text/csv")
    else:
        response = client.post("/api/v2/predict/batch", json=content["application/json"]["examples"][shape]["value"])
    answer = batch["responses"]["200"]
    assert response.status_code == 200
    assert response.mimetype in answer["content"]
    assert set(answer["headers"]) <= set(response.headers.keys())
    if shape == "csv":
        assert response.text.startswith(answer["content"]["text/csv"]["example"])


def test_a_batch_of_columns_requires_a_list_for_every_feature_that_may_not_be_missing(mixed):
    assert mixed["Columns"]["required"] == ["amount"]
    assert mixed["Columns"]["additionalProperties"] is False
    assert mixed["Columns"]["properties"]["home"]["items"] == mixed["Application"]["properties"]["home"]
    assert mixed["PredictionColumns"]["properties"]["prediction"]["items"]["enum"] == ["Granted", "Denied"]


def test_only_operations_that_decide_document_the_applicant_key(client):
    applicant_keys = {}
    for path, operations in client.get("/openapi.json").json["paths"].items():
        for operation in operations.values():
            keys = [each for each in operation.get("parameters", []) if each["name"] == "X-Applicant-Key"]
            applicant_keys[operation.get("operationId", path)] = keys
    deciding = {"predict", "decide", "predict_batch", "invocations", "infer", "infer_version"}
    deciding |= {"v1_predict", "v1_explain"}
    assert {operation for operation, keys in applicant_keys.items() if keys} == deciding
    schema = applicant_keys["predict"][0]["schema"]
    for key in ("a", "person 7", "~!+-", "x" * 256, "", " a", "a,b", "é", "x" * 257):
        fits = len(key) <= schema["maxLength"] and re.fullmatch(schema["pattern"], key)
        assert bool(fits) == (is_key(key.encode()) and key == key.strip()), key


def test_a_category_that_takes_any_other_text_lists_no_values(loans):
    home = Feature("home", "category", values=("own", "rent", "else"), other="else", missing=True, example="own")
    document = make_document(replace(loans, features=(*loans.features, home)))
    schema = document["components"]["schemas"]["Application"]["properties"]["home"]
    assert schema == {
        **{"type": ["string", "null"], "pattern": r"\S", "examples": ["own"]},
        "description": "one of own, rent, else or any other text or null",
    }


def test_the_application_schema_says_what_the_contract_says(client):
    schema = client.get("/openapi.json").json["components"]["schemas"]["Application"]
    assert schema["required"] == ["Loan_Amount", "Loan_Duration_Years"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["Credit_Score"] == {
        **{"type": ["integer", "null"], "minimum": 300, "maximum": 850, "description": "points", "examples": [650]},
    }
    assert schema["properties"]["Loan_Amount"]["type"] == "number"


def test_a_category_is_an_enumeration_and_a_monitored_feature_may_be_absent(mixed):
    application = mixed["Application"]
    assert application["required"] == ["amount"]
    assert application["properties"]["home"]["enum"] == ["own", "rent", None]
    assert application["properties"]["region"]["type"] == ["string", "null"]
    assert mixed["Prediction"]["properties"]["prediction"]["enum"] == ["Granted", "Denied"]


def test_without_a_model_the_application_is_any_object(empty_client):
    response = empty_client.get("/openapi.json")
    assert response.status_code == 200
    schemas = response.json["components"]["schemas"]
    assert schemas["Application"] == schemas["Columns"] == {"type": "object"}


@pytest.mark.parametrize("server", ["client", "empty_client"])
def test_every_reference_names_a_schema(request, server):
    text = request.getfixturevalue(server).get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split('"$ref":"')[1:]}
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    assert references


NAMES = {"{name}": "loan_approval_model", "{version}": "7"}


def address(path: str) -> str:
    for part, value in NAMES.items():
        path = path.replace(part, value)
    return path


@pytest.mark.parametrize("server", ["client", "empty_client"])
def test_every_get_of_the_protocols_answers_with_a_documented_status_and_content_type(request, server):
    client = request.getfixturevalue(server)
    paths = client.get("/openapi.json").json["paths"]
    gets = [path for path in paths if "get" in paths[path] and path.startswith(("/v2", "/ping", "/health", "/version"))]
    assert len(gets) > 8
    for path in gets:
        response = client.get(address(path))
        documented = paths[path]["get"]["responses"][str(response.status_code)]
        assert list(documented["content"]) == [response.mimetype], path


@pytest.mark.parametrize(
    "path", ["/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer", "/invocations"]
)
def test_the_examples_of_the_protocols_are_answered_as_documented(client, path):
    document = client.get("/openapi.json").json
    operation = document["paths"][path]["post"]
    response = client.post(address(path), json=operation["requestBody"]["content"]["application/json"]["example"])
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    assert response.status_code == 200
    assert set(response.json) == set(document["components"]["schemas"][schema]["required"])
    assert set(operation["responses"]["200"]["headers"]) <= set(response.headers.keys())


def walk(node):
    """Yield every object in a document."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from walk(each)


@pytest.mark.parametrize("keys", [True, False])
def test_every_array_says_what_its_items_are(loans, keys):
    arrays = [node for node in walk(make_document(loans, keys)) if "array" in (node.get("type") or ())]
    assert arrays
    assert [array for array in arrays if "items" not in array] == []


def test_every_operation_has_an_id_of_its_own_and_a_known_tag(loans):
    document = make_document(loans)
    operations = [each for item in document["paths"].values() for each in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert {tag for operation in operations for tag in operation["tags"]} == {tag["name"] for tag in document["tags"]}


def test_an_operation_documents_401_where_the_server_asks_for_a_key(shelf, make_app, tmp_path):
    shelf.promote("loans")
    (tmp_path / "keys").write_text(f"lab:{'0' * 64}\n")
    client = make_app(api_keys_file=tmp_path / "keys").test_client()
    document = make_document(None, keys=True)
    assert set(document["components"]["securitySchemes"]) == {name for each in document["security"] for name in each}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            asks = client.open(re.sub(r"{\w+}", "x", path), method=method).status_code == 401
            assert ("401" in operation["responses"], operation.get("security") != []) == (asks, asks), path
    assert "security" not in make_document(None)


def test_exactly_one_form_of_an_invocation_is_documented(loans):
    invocation = make_document(loans)["components"]["schemas"]["Invocation"]
    assert [each["required"][0] for each in invocation["oneOf"]] == [
        name for name in invocation["properties"] if name != "params"
    ]
