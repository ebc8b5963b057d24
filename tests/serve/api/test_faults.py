import pytest

from tests.serve.api.test_tensors import NAMES, ROW

RECORD = dict(zip(NAMES, ROW, strict=True))


def test_mlflow_s_clients_get_a_code_and_a_message(client):
    response = client.post("/invocations", json={"instances": [RECORD | {"Age": 17}]})
    assert response.status_code == 422
    assert response.json["error_code"] == "INVALID_PARAMETER_VALUE"
    assert response.json["message"] == response.json["error"]
    assert response.json["message"].startswith("the application breaks the contract: 0.Age: ")


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [("application/json", "{", "BAD_REQUEST"), ("text/plain", "", "BAD_REQUEST")],
)
def test_each_status_has_its_code_for_mlflow(client, kind, body, code):
    assert client.post("/invocations", data=body, content_type=kind).json["error_code"] == code


def test_a_server_without_a_model_is_temporarily_unavailable_to_mlflow(empty_client):
    response = empty_client.post("/invocations", json={"instances": [RECORD]})
    assert (response.status_code, response.json["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")


def test_the_service_s_own_errors_stay_as_published(client):
    response = client.post("/api/v2/predict", json=RECORD | {"Age": 17})
    assert (response.status_code, set(response.json)) == (422, {"error", "fields"})
    assert response.json["error"] == "the application breaks the contract"


@pytest.mark.parametrize("path", ["/nothing", "//api/v2/predict", "/docs/nothing.js"])
def test_a_path_without_a_route_is_told_in_one_line_where_the_routes_are(client, path):
    response = client.get(path)
    assert (response.status_code, set(response.json)) == (404, {"error"})
    assert "/openapi.json" in response.json["error"]
    assert "\n" not in response.json["error"]


def test_a_404_of_a_route_keeps_its_own_reason(client):
    assert "/openapi.json" not in client.get("/api/v2/model/card").json["error"]
