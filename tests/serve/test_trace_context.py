import pytest

from serve.trace_context import valid_traceparent

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("text", [VALID, VALID[:-2] + "00", "cc" + VALID[2:]])
def test_a_valid_traceparent_comes_back_as_it_was(text):
    assert valid_traceparent(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "garbage", VALID + "-extra", VALID.upper(), VALID[:-1], VALID + "\n", "\n" + VALID, "ff" + VALID[2:],
     VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), VALID.replace("00f067aa0ba902b7", "0" * 16),
     f"{VALID}, {VALID}", VALID.replace("-01", "-0g"), "٠٠" + VALID[2:]],
)  # fmt: skip
def test_anything_else_is_ignored(text):
    assert valid_traceparent(text) == ""
