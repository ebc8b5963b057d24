"""Spans of a real server with several workers, at a collector's endpoint."""

from serve.contract.contract import Contract
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.otlp_receiver import attributes_of, receiving
from tests.server_process import promote, running_server

EXAMPLE = Contract.from_dict(LOANS).example()


def test_each_worker_sends_its_spans_the_last_ones_at_its_end(tmp_path):
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"])
    with receiving() as receiver:
        # Nothing is sent before the end, unless so many wait.
        environment = receiver.environment | {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_SERVICE_NAME": "lab"}
        with running_server(tmp_path, store.path, SERVE_WORKERS="2", **environment) as server:
            answers = [server.request("POST", "/api/v2/predict", EXAMPLE) for _ in range(30)]
            assert server.stop() == 0
        ids = {attributes_of(span).get("loan.decision_id") for span in receiver.spans}
        assert {answer.headers["X-Decision-Id"] for answer in answers} <= ids
        assert receiver.services == {"lab"}
        assert "spans are sent to OpenTelemetry's collector" in server.log.read_text()
