import socket
import threading

from tests.benchmarks.steady import ask, draw_moments


def test_requests_are_due_at_the_same_moments_in_each_run_at_the_rate_asked_for() -> None:
    moments = draw_moments(1000, 2)
    assert moments == draw_moments(1000, 2) == sorted(moments)
    assert 1800 < len(moments) < 2200


def test_an_answer_is_timed_from_when_its_request_was_due_and_another_status_is_a_failure() -> None:
    caller, server = socket.socketpair()

    def answer() -> None:
        for status in (b"200 OK", b"200 OK"):
            server.recv(100)
            server.sendall(b"HTTP/1.1 %b\r\n\r\n" % status)
        server.recv(100)
        server.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    with caller, server:
        times, failed = ask([caller], [b"question"], [0.0, 0.0, 0.0])
        thread.join()
    assert len(times) == 2
    assert times[0] < times[1]  # the second had to wait for the first, and that is part of its time
    assert failed == 1
