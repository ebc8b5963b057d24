import pytest

from serve.metrics.correlation import Correlation

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"


def read(**headers: str) -> Correlation:
    return Correlation.read(lambda name: headers.get(name.replace("-", "_"), ""))


@pytest.mark.parametrize("text", [TRACE, TRACE[:-2] + "00", "cc" + TRACE[2:]])
def test_a_valid_traceparent_is_kept_unchanged(text):
    assert read(traceparent=text) == (text, "", "")


@pytest.mark.parametrize(
    "text",
    ["", "garbage", TRACE + "-extra", TRACE.upper(), TRACE[:-1], TRACE + "\n", "\n" + TRACE, "ff" + TRACE[2:],
     TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), TRACE.replace("00f067aa0ba902b7", "0" * 16),
     f"{TRACE}, {TRACE}", TRACE.replace("-01", "-0g"), "٠٠" + TRACE[2:]],
)  # fmt: skip
def test_an_invalid_traceparent_is_dropped_and_the_tracestate_with_it(text):
    assert read(traceparent=text, tracestate=STATE) == ("", "", "")


@pytest.mark.parametrize("text", [STATE, "a=1, b=2", "x" * 512])
def test_a_tracestate_is_kept_beside_a_traceparent(text):
    assert read(traceparent=TRACE, tracestate=text) == (TRACE, text, "")


@pytest.mark.parametrize("text", ["x" * 513, "a=é", "a=1\r\nb: 2", "a=\x7f"])
def test_a_tracestate_that_is_too_long_or_not_printable_is_dropped(text):
    assert read(traceparent=TRACE, tracestate=text) == (TRACE, "", "")


@pytest.mark.parametrize("text", ["a", "x" * 128, "3f2504e0-4f89-11d3-9a0c-0305e82c3301", '!"#$%&,;=~'])
def test_a_request_id_of_printable_ascii_is_kept(text):
    assert read(x_request_id=text) == ("", "", text)


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a, b", "é", "a\n", "\ta", "\x7f", "٠"])
def test_any_other_request_id_is_dropped(text):
    assert read(x_request_id=text) == ("", "", "")


def test_the_response_has_what_was_kept_and_no_more():
    assert read().headers() == []
    assert read(traceparent=TRACE, tracestate=STATE, x_request_id="a-1").headers() == [
        ("traceparent", TRACE),
        ("tracestate", STATE),
        ("X-Request-ID", "a-1"),
    ]
