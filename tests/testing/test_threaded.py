"""FakeProvider from tests without an event loop."""

import gc
import http.client
import socket
import warnings

import pytest

from ccproxy.testing import FakeProvider, Gate, Pause, Reply, Script, Text, ThreadedProvider, sse
from ccproxy.testing.threaded import in_thread


def ask(provider: ThreadedProvider, path: str = "/v1/messages", body: bytes = b'{"model": "m"}') -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=10)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_answers_and_records() -> None:
    with FakeProvider.in_thread(text="From a thread.") as provider:
        status, body = ask(provider)

        assert status == 200
        assert b"From a thread." in body
        assert provider.wait_for_request().json() == {"model": "m"}
        assert provider.wait_for_disconnect().by_client
        assert provider.connections == 1
        assert provider.url.endswith(f":{provider.port}")


def test_scripted_answers_and_gates() -> None:
    with FakeProvider.in_thread() as provider:
        gate = Gate()
        provider.reply(sse([b"one", Pause(gate), b"two"]))
        provider.on("/special", Reply(418))
        provider.on("/scripted/v1/messages", lambda request: provider.write(request, Script("m", [Text("Mine.")])))
        connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=10)
        connection.request("POST", "/", b"x")

        answer = connection.getresponse()
        first = answer.read(3)
        gate.open()
        rest = answer.read()
        connection.close()

        assert (first, rest) == (b"one", b"two")
        assert ask(provider, "/special")[0] == 418
        assert b"Mine." in ask(provider, "/scripted/v1/messages")[1]


def test_refusing_and_accepting_again() -> None:
    with FakeProvider.in_thread() as provider:
        provider.refuse()
        with pytest.raises(ConnectionRefusedError):
            ask(provider)

        provider.accept()

        assert ask(provider)[0] == 200


def test_what_a_handler_raises_fails_the_test() -> None:
    def handler(request: object) -> Reply:
        raise KeyError("the test's own mistake")

    def run() -> None:
        with FakeProvider.in_thread() as provider:
            provider.reply(handler)
            assert ask(provider)[0] == 500
            assert len(provider.errors) == 1

    with pytest.raises(KeyError, match="own mistake"):
        run()


def test_a_provider_that_cannot_start_says_why() -> None:
    with FakeProvider.in_thread() as first:
        port = first.port
        with pytest.raises(OSError), in_thread(lambda: FakeProvider(port=port)):
            pass


def test_a_connection_of_the_last_moment_is_ended_too() -> None:
    """One that is accepted while the provider ends, which its loop would otherwise leave open behind it."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(50):
            with FakeProvider.in_thread() as provider:
                socket.create_connection(("127.0.0.1", provider.port)).close()
        gc.collect()
    assert [str(each.message) for each in found] == []
