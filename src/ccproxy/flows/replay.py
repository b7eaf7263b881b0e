"""Sending a recorded request again: what the client sent, made ready for another go, and the two answers side by side.
Pure; the sending is the command's.

The request is the client's as it came, so that rules, hooks and conversion do their work anew. Its credential is not
recorded and is not wanted: a sentinel key names the provider, whose own is used. A request of which anything is missing
(cut, or with secrets overwritten) is refused, because another one would be sent. The flow of the replay names the one it
repeats by the header `x-ccproxy-replay`, which never leaves ccproxy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ccproxy.errors import BadRequest, CommandError
from ccproxy.flows import answer, coding
from ccproxy.flows.model import Flow, Pairs, ResponseRecord
from ccproxy.flows.text import dollars, printable, seconds, short
from ccproxy.lightllm.body import JsonBody
from ccproxy.routing.sentinel import CREDENTIAL_NAMES, PREFIX
from ccproxy.util.redact import ELLIPSIS

#: The request header that names the flow that is repeated.
HEADER = "x-ccproxy-replay"
#: Fields of the connection, of the body as it was coded, or of another try.
_OWN = frozenset(
    {
        "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "expect",
        "content-length", "content-encoding", "accept-encoding", "x-ccproxy-key", "x-ccproxy-handoff", HEADER,
    }
)  # fmt: skip
#: Dialects that name the model in the path, behind this.
_IN_PATH = "/models/"


@dataclass(frozen=True, slots=True)
class Order:
    """A request that is ready to be sent to the proxy. `model` is the one that it asks for."""

    method: str
    target: str
    headers: Pairs
    body: bytes
    provider: str
    model: str

    @property
    def words(self) -> str:
        """What is sent where, for a person."""
        asked = f" for {self.model}" if self.model else ""
        return f"{self.method} {self.target} ({len(self.body):,} bytes){asked} to provider {self.provider}"


def order(flow: Flow, provider: str, *, model: str = "", client_key: str = "") -> Order:
    """A recorded request made ready.

    Args:
        provider: the name of the provider whose credential is used.
        model: the model to ask for instead; "" keeps the client's.
        client_key: a key that the gateway accepts, if it asks for one.

    Raises CommandError for a flow that cannot be sent again as it was.
    """
    request = flow.request
    where = f"flow {flow.id} cannot be sent again"
    if flow.websocket is not None:
        raise CommandError(f"{where}: it is a WebSocket")
    if not flow.dialect or request.scheme not in {"http", "https"}:
        raise CommandError(f"{where}: it is no request to a model")
    if request.truncated:
        raise CommandError(
            f"{where}: only the first {len(request.body):,} of its {request.size:,} bytes are recorded",
            hint="flows.max_body_bytes says how much of the next ones is",
        )
    if request.redacted:
        raise CommandError(f"{where}: its body held secrets, which are overwritten in what is recorded")
    decoded = coding.decode(request.body, request.header("content-encoding"))
    if decoded is None or not decoded.complete:
        raise CommandError(f"{where}: its body cannot be decoded ({request.header('content-encoding')})")
    target, body = _target(request.target), decoded.data
    if model:
        target, body = _with_model(target, body, model, where)
    headers = [pair for pair in request.headers if _goes_along(*pair)]
    sentinel = f"{PREFIX.decode()}{provider}"
    headers += [("authorization", f"Bearer {sentinel}"), ("accept-encoding", "identity"), (HEADER, flow.id)]
    if client_key:
        headers.append(("x-ccproxy-key", client_key))
    return Order(request.method, target, headers, body, provider, model or flow.model)


def replayed(flow: Flow) -> str:
    """The id of the flow that `flow` repeats, or ""."""
    return flow.request.header(HEADER)


def _goes_along(name: str, value: str) -> bool:
    lower = name.lower()
    return lower not in _OWN and lower.encode("latin-1", "replace") not in CREDENTIAL_NAMES and ELLIPSIS not in value


def _target(target: str) -> str:
    """Path and query without parameters whose values are not recorded, or are a key."""
    path, mark, query = target.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("key=") and ELLIPSIS not in part]
    kept = [part for part in kept if PREFIX.decode() not in part]
    return f"{path}{mark}{'&'.join(kept)}" if kept else path


def _with_model(target: str, body: bytes, model: str, where: str) -> tuple[str, bytes]:
    """Path and body with another model, wherever the dialect names it."""
    path, mark, query = target.partition("?")
    before, found, rest = path.rpartition(_IN_PATH)
    if found and (action := rest.partition(":")[2]):
        return f"{before}{_IN_PATH}{quote(model, safe='')}:{action}{mark}{query}", body
    document = JsonBody(body)
    try:
        document["model"] = model
    except BadRequest as error:
        raise CommandError(f"{where} with another model: {error}") from error
    return target, document.raw


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the two answers, from its flow."""

    flow: Flow

    @property
    def text(self) -> str:
        """Its words, thinking and tool calls included; of an error the body."""
        response = self.flow.answer or self.flow.response
        if response is None:
            return ""
        content = _content(response)
        if response.status >= 400:
            return content.decode("utf-8", "replace")
        return answer.read(content).text

    @property
    def facts(self) -> Iterator[str]:
        """What it was, in short pieces."""
        flow = self.flow
        shown = flow.answer or flow.response
        yield flow.provider or (flow.forwarded.host if flow.forwarded is not None else "nobody")
        yield flow.answer_model or flow.model
        yield f"{shown.status} {flow.outcome}".removesuffix(" complete") if shown is not None else flow.outcome
        if (usage := flow.usage) is not None:
            counts = ("?" if number is None else short(number) for number in (usage.input, usage.output))
            cached = f" ({short(usage.cache_read)} cached)" if usage.cache_read else ""
            yield f"{' → '.join(counts)} tokens{cached}"
        if flow.cost is not None:
            yield dollars(flow.cost)
        first = flow.timings.get("ttft")
        yield f"{seconds(flow.duration)}{f', first token after {seconds(first)}' if first is not None else ''}"
        if flow.losses:
            yield f"{len(flow.losses)} lost in conversion"


def _content(response: ResponseRecord) -> bytes:
    decoded = coding.decode(response.body, response.header("content-encoding"))
    return response.body if decoded is None else decoded.data


def render(recorded: Flow, replay: Flow, *, heading: Callable[[str], str] = str) -> str:
    """Both answers for a person, one after the other, safe for a terminal."""
    lines: list[str] = []
    for title, flow in (("Recorded", recorded), ("Replayed", replay)):
        found = Answer(flow)
        facts = printable(", ".join(filter(None, found.facts))).replace("\n", "\\n")
        lines += [heading(printable(f"{title} {flow.id}")), f"  {facts}"]
        lines += [f"  error: {printable(flow.error)}"] if flow.error else []
        lines += ["", *(f"  {line}" for line in printable(found.text or "(no text)").splitlines()), ""]
    same = Answer(recorded).text == Answer(replay).text
    lines.append("The two answers are the same." if same else "The two answers differ.")
    return "\n".join(lines) + "\n"


def document(recorded: Flow, replay: Flow) -> dict[str, Any]:
    """Both flows as JSON, each with the words of its answer in `answer_text`."""
    from ccproxy.flows.views import flow_json

    return {
        name: {**flow_json(flow), "answer_text": Answer(flow).text}
        for name, flow in (("recorded", recorded), ("replayed", replay))
    }
