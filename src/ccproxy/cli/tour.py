"""The requests of `ccproxy demo`: one of each dialect, and how to find the text in the answer.

Adding a stop to the tour is adding a line to `STOPS`.
"""

from __future__ import annotations

import http.client
import json
import shlex
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ccproxy.errors import CommandError

KEY = "sk-ant-oat-ccproxy-demo"
TIMEOUT_SECONDS = 30.0

_MESSAGES: dict[str, Any] = {
    "model": "demo-1",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello, who are you?"}],
}
_CHAT: dict[str, Any] = {"model": "demo-1", "messages": [{"role": "user", "content": "Say something nice."}]}
_RESPONSES: dict[str, Any] = {"model": "demo-1", "input": "What is a proxy?"}
_GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Do you stream?"}]}]}


@dataclass(frozen=True, slots=True)
class Stop:
    """One request of the tour.

    Attributes:
        title: what it shows.
        target: path and query.
        headers: the client's, the credential among them.
        body: the JSON it sends.
        text: the way to the text in a buffered answer: keys and indices.
    """

    title: str
    target: str
    headers: dict[str, str]
    body: dict[str, Any]
    text: tuple[str | int, ...] = ()

    def curl(self, url: str) -> str:
        """The same request by hand."""
        words = ["curl", *(["-N"] if not self.text else []), url + self.target]
        for name, value in self.headers.items():
            words += ["-H", f"{name}: {value}"]
        return shlex.join([*words, "-d", json.dumps(self.body)])


STOPS = (
    Stop(
        "Anthropic Messages",
        "/v1/messages",
        {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"},
        _MESSAGES,
        ("content", 0, "text"),
    ),
    Stop(
        "Anthropic Messages, streamed",
        "/v1/messages",
        {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"},
        _MESSAGES | {"stream": True},
    ),
    Stop(
        "OpenAI Chat Completions",
        "/v1/chat/completions",
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
        _CHAT,
        ("choices", 0, "message", "content"),
    ),
    Stop(
        "OpenAI Responses",
        "/v1/responses",
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
        _RESPONSES,
        ("output", 0, "content", 0, "text"),
    ),
    Stop(
        "Gemini generateContent",
        "/v1beta/models/demo-1:generateContent",
        {"x-goog-api-key": KEY, "content-type": "application/json"},
        _GEMINI,
        ("candidates", 0, "content", "parts", 0, "text"),
    ),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back. `first` and `whole` are seconds from the request to the first and the last byte of the body."""

    status: int
    flow: str
    body: bytes
    first: float
    whole: float


def visit(stop: Stop, url: str) -> Seen:
    """Sends the request to the proxy at `url`. Raises CommandError if it does not answer."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)
    begin = time.monotonic()
    try:
        connection.request("POST", stop.target, json.dumps(stop.body), stop.headers)
        answer = connection.getresponse()
        body = answer.read(1)
        first = time.monotonic() - begin
        body += answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"the proxy did not answer {stop.target}: {error}") from None
    finally:
        connection.close()
    return Seen(answer.status, answer.headers.get("x-ccproxy-flow", ""), body, first, time.monotonic() - begin)


def said(stop: Stop, body: bytes) -> str:
    """The text of a buffered answer, or the text deltas of a streamed one joined. "" if it is not found there."""
    if not stop.text:
        return _streamed(body)
    try:
        value: Any = json.loads(body)
        for step in stop.text:
            value = value[step]
    except (ValueError, LookupError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


def events(body: bytes) -> list[str]:
    """The data of each event of a stream."""
    return [
        line.removeprefix("data: ") for line in body.decode("utf-8", "replace").splitlines() if line[:6] == "data: "
    ]


def _streamed(body: bytes) -> str:
    text = ""
    for data in events(body):
        delta = json.loads(data).get("delta", {}) if data.startswith("{") else {}
        text += delta.get("text", "") if isinstance(delta, dict) else ""
    return text
