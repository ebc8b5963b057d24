import pytest


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [("/health/live", 200, b'{"status":"live"}'), ("/health/ready", 200, b'{"status":"ready"}')],
)
def test_with_a_model_the_server_is_live_and_ready(client, path, status, body):
    response = client.get(path)
    assert (response.status_code, response.data) == (status, body)


def test_without_a_model_the_server_is_live_and_not_ready(empty_client):
    assert empty_client.get("/health/live").status_code == 200
    response = empty_client.get("/health/ready")
    assert response.status_code == 503
    assert set(response.json) == {"error"}


def test_a_server_becomes_ready_with_its_first_model(empty_client, shelf):
    shelf.promote("loans")
    empty_client.application.extensions["live_model"].refresh()
    assert empty_client.get("/health/ready").status_code == 200
