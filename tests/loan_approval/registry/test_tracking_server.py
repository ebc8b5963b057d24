"""What is said when MLflow's server is not there, or refuses."""

import pytest

from loan_approval import cli
from loan_approval.errors import TrackingError
from loan_approval.registry import tracking
from loan_approval.registry.tracking_server import check_reachable, plain_errors
from tests.fake_registry import fake_registry
from tests.server_process import find_free_port


@pytest.mark.parametrize("command", ["train", "validate", "promote", "rollback", "history"])
def test_without_a_server_a_command_ends_at_once_in_one_line_without_the_password(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_notebook", None)  # no kernel may be started
    port = find_free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://somebody:secret@127.0.0.1:{port}")
    with pytest.raises(SystemExit) as stopped:
        cli.main([command])
    address = f"http://127.0.0.1:{port}"
    words = "Connection refused; is it running, and are MLFLOW_TRACKING_… right?"
    assert stopped.value.code == f"TrackingError: MLflow at {address}: {words}"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:port", "https://"])
def test_an_address_that_is_none_is_told(uri: str) -> None:
    with pytest.raises(TrackingError, match=f"^MLflow at {uri}"):
        check_reachable(uri)


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses_is_told_in_one_line_without_the_password(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with fake_registry() as registry:
        registry.faults["alias"] = lambda handler: handler.send(status, b"no\nno")
        uri = registry.address.replace("//", "//somebody:secret@")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(TrackingError) as told, plain_errors():
            tracking.version_of_alias("loan_approval_model", "production")
    assert str(told.value).startswith(f"MLflow at {registry.address}: API request to ")
    assert str(status) in str(told.value)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
