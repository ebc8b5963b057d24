import pytest


def test_status_with_a_model_is_the_published_answer(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.data == (
        b'{"status":"online","model_loaded":true,"model_name":"loan_approval_model","model_alias":"production"}'
    )


def test_status_without_a_model_names_the_model_in_the_settings(make_app):
    response = make_app(model_name="boston", model_alias="challenger").test_client().get("/")
    assert response.status_code == 200
    assert response.data == (
        b'{"status":"online","model_loaded":false,"model_name":"boston","model_alias":"challenger"}'
    )


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("server", ["client", "empty_client"])
def test_a_browser_at_the_root_is_sent_to_the_page_for_people(request, server):
    response = request.getfixturevalue(server).get("/", headers={"Accept": BROWSER})
    assert (response.status_code, response.headers["Location"], response.data) == (303, "app", b"")


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json, text/html"])
def test_a_program_at_the_root_gets_the_status(client, accept):
    response = client.get("/", headers={"Accept": accept})
    assert (response.status_code, response.json["status"]) == (200, "online")


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_a_cache_is_told_that_the_root_depends_on_what_is_asked_for(client, accept):
    assert "Accept" in client.get("/", headers={"Accept": accept}).headers["Vary"]


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


def test_model_describes_the_file_without_its_background_and_golden_rows(client, shelf, loans):
    document = client.get("/api/v2/model").json
    assert document["contract"] == loans.to_dict()
    assert document["decision"]["threshold"] == 0.55
    assert document["sha256"] == shelf.store.pointer().sha256
    assert set(document) == {
        *("name", "alias", "version", "run", "sha256", "contract", "decision", "provenance"),
        *("metrics", "gates", "verdict", "decisions_logged"),
    }


@pytest.mark.parametrize("is_logged", [False, True])
def test_the_model_document_says_whether_decisions_are_logged(shelf, make_app, tmp_path, is_logged):
    shelf.promote("loans")
    app = make_app(**({"prediction_log": tmp_path / "log"} if is_logged else {}))
    assert app.test_client().get("/api/v2/model").json["decisions_logged"] is is_logged
    if is_logged:
        app.extensions["prediction_log"].close()
