from loan_approval.registry import history, tracking


def test_history_is_read_in_the_order_it_was_written() -> None:
    tracking.connect().create_registered_model("history_model")
    for number in range(12):
        history.append("history_model", {"event": "promote", "version": str(number)})
    assert [event["version"] for event in history.read("history_model")] == [str(n) for n in range(12)]
