"""The page of `flows show`: one flow for a person. What the client sent, where it went and why, how it ended, the heads
and the bodies (decoded, JSON indented, a stream event by event). Whatever is not whole says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from ccproxy.flows import coding
from ccproxy.flows.model import Flow, Message, Pairs, Usage
from ccproxy.flows.replay import replayed
from ccproxy.flows.text import ago, count, dollars, moment, printable, seconds

_INDENT = "  "


def render(flow: Flow, *, now: float, heading: Callable[[str], str] = str) -> str:
    """The page as text that is safe for a terminal.

    Args:
        now: seconds since the epoch.
        heading: how a heading is made to stand out.
    """
    parts = [heading(printable(f"Flow {flow.id}")), *_summary(flow, now)]
    request, forwarded, response = flow.request, flow.forwarded, flow.response
    if flow.losses:
        title = "Lost in conversion" if flow.upstream_dialect else "Added or left out"
        parts += ["", heading(title), *_losses(flow)]
    if flow.story:
        parts += ["", heading("Tries"), *_story(flow)]
    first = f"{request.method} {request.target} HTTP/{request.http_version}"
    parts += ["", heading("Client request"), *_head(first, request.headers), *_body(request, heading)]
    if forwarded is not None:
        first = f"{forwarded.method} {forwarded.target} HTTP/{forwarded.http_version}"
        parts += ["", heading(f"Forwarded to {printable(forwarded.host)}"), *_head(first, forwarded.headers)]
        if forwarded.body == request.body and forwarded.size == request.size:
            parts += ["", f"{_INDENT}The body is the client's." if request.size else f"{_INDENT}No body."]
        else:
            parts += _body(forwarded, heading)
    if response is not None:
        first = f"HTTP/{response.http_version} {response.status} {response.reason}".rstrip()
        title = "Answer" if flow.answer is None else f"Answer of {printable(flow.provider)}"
        parts += ["", heading(title), *_head(first, response.headers), *_body(response, heading)]
    if flow.answer is not None:
        first = f"HTTP/1.1 {flow.answer.status} {flow.answer.reason}".rstrip()
        parts += ["", heading("Answer to the client"), *_head(first, flow.answer.headers), *_body(flow.answer, heading)]
    if flow.websocket is not None:
        parts += _websocket(flow, heading)
    return "\n".join(parts) + "\n"


def _summary(flow: Flow, now: float) -> Iterator[str]:
    key = f', key "{flow.client_key}"' if flow.client_key else ""
    agent = f", {flow.user_agent}" if flow.user_agent else ""
    yield from _fact("when", f"{moment(flow.started)}, {ago(now - flow.started)}")
    yield from _fact("client", f"{flow.client_address}:{flow.client_port}{agent}{key}")
    yield from _fact("run", flow.run)
    yield from _fact("process", flow.process)
    yield from _fact("asked", f"{flow.request.method} {flow.request.url}")
    yield from _fact("sent to", flow.forwarded.url if flow.forwarded else "nobody")
    yield from _fact("because", _because(flow))
    converted = f", converted to {flow.upstream_dialect}" if flow.upstream_dialect else ""
    yield from _fact("kind", " ".join(word for word in (flow.dialect, flow.operation) if word) + converted)
    answered = f", answered by {flow.answer_model}" if flow.answer_model not in {"", flow.model} else ""
    yield from _fact("model", f"{flow.model or 'none named'}{answered}" if flow.model or answered else "")
    answer = flow.answer or flow.response
    status = f"{answer.status} {answer.reason}".rstrip() if answer else "no answer"
    yield from _fact("outcome", f"{status}, {flow.outcome}{', streamed' if flow.streaming else ''}")
    yield from _fact("error", f"{flow.error_kind}: {flow.error}" if flow.error else flow.error_kind)
    first = f"first byte after {seconds(flow.ttfb)}, " if flow.ttfb is not None else ""
    yield from _fact("timing", f"{first}{seconds(flow.duration)} in all")
    yield from _fact("usage", _usage(flow.usage) if flow.usage else "")
    yield from _fact("cost", dollars(flow.cost) if flow.cost is not None else "")
    yield from _fact("session", _session(flow))
    yield from _fact("repeats", replayed(flow))
    for hook in flow.hooks:
        changed = f", changed {', '.join(hook.changed)}" if hook.changed else ""
        failed = f", failed: {hook.error}" if hook.error else ""
        yield from _fact("hook", f"{hook.name} ({hook.stage}) in {hook.ms:.1f} ms{changed}{failed}")


def _fact(name: str, value: str) -> Iterator[str]:
    if value:
        yield printable(f"{_INDENT}{name:<9}{value}").replace("\n", "\\n")


def _story(flow: Flow) -> Iterator[str]:
    for step in flow.story:
        who = " with ".join(word for word in (step.provider, step.credential) if word)
        said = step.problem or (f"status {step.status}" if step.status else "")
        words = f"{who}: {said}, after {seconds(step.seconds)}{f'; {step.then}' if step.then else ''}"
        yield printable(f"{_INDENT}{words}").replace("\n", "\\n")


def _losses(flow: Flow) -> Iterator[str]:
    for loss in flow.losses:
        change = " -> ".join(part for part in (loss.source, loss.target) if part)
        words = f"{loss.path}: {loss.kind}{f' ({change})' if change else ''}; {loss.reason}"
        yield printable(f"{_INDENT}{words}").replace("\n", "\\n")


def _because(flow: Flow) -> str:
    where = f"provider {flow.provider}" if flow.provider else ""
    credential = f"credential: {flow.credential}" if flow.credential else ""
    action = f"{flow.action} to {where}" if flow.action and where else flow.action
    return ", ".join(part for part in (flow.reason, action, credential) if part)


def _session(flow: Flow) -> str:
    kind = f"{flow.kind} of " if flow.kind and flow.session else flow.kind
    parent = f", started from {flow.parent}" if flow.parent else ""
    return f"{kind}{flow.session}{parent}"


def _usage(usage: Usage) -> str:
    def part(number: int | None, words: str) -> str:
        return f"{number:,} {words}" if number is not None else ""

    cached = [part(usage.cache_read, "from cache"), part(usage.cache_write, "written to cache")]
    inside = ", ".join(filter(None, cached))
    read = part(usage.input, "tokens in") + (f" ({inside})" if inside else "")
    reasoning = part(usage.reasoning, "of them reasoning")
    written = part(usage.output, "tokens out") + (f" ({reasoning})" if reasoning else "")
    return ", ".join(filter(None, (read, written)))


def _head(first: str, headers: Pairs) -> Iterator[str]:
    yield printable(f"{_INDENT}{first}").replace("\n", "\\n")
    for name, value in headers:
        yield printable(f"{_INDENT}{name}: {value}").replace("\n", "\\n")


def _body(message: Message, heading: Callable[[str], str]) -> Iterator[str]:
    yield ""
    if not message.size:
        yield f"{_INDENT}No body."
        return
    encoding = message.header("content-encoding")
    decoded = coding.decode(message.body, encoding)
    notes = [count(message.size, "byte")]
    if coding.codings(encoding):
        if decoded is None:
            notes.append(f"{encoding}, which cannot be decoded")
        else:
            notes.append(f"{encoding}, {count(len(decoded.data), 'byte')} decoded")
            if not decoded.complete and not message.truncated:
                notes.append("damaged or too large: this is the beginning")
    if message.truncated:
        notes.append(f"only the first {count(len(message.body), 'byte')} are recorded")
    if message.redacted:
        notes.append("secrets overwritten")
    yield heading(printable(f"{_INDENT}Body: {'; '.join(notes)}"))
    content = message.body if decoded is None else decoded.data
    yield from content_lines(content, message.header("content-type"))


def content_lines(content: bytes, content_type: str) -> Iterator[str]:
    """A body's content, line by line: JSON indented, Server-Sent Events numbered, text as it is, binary only named."""
    if "event-stream" in content_type.lower() or content.startswith((b"event:", b"data:")):
        yield from _events(content)
        return
    if content.lstrip()[:1] in {b"{", b"["}:
        with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):  # if it is no JSON, it is shown as it is
            content = msgspec.json.format(content, indent=2)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        # The end of a cut body may split a character.
        if error.start < len(content) - 4:
            yield f"{_INDENT}(binary)"
            return
        text = content.decode(errors="replace")
    for line in text.splitlines():
        yield printable(f"{_INDENT}{line}")


def _events(content: bytes) -> Iterator[str]:
    text = content.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    number = 0
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line]
        if not lines:
            continue
        number += 1
        name = next((line[6:].strip() for line in lines if line.startswith("event:")), "")
        yield printable(f"{_INDENT}[{number}] {name}").rstrip()
        for line in lines:
            if not line.startswith("event:"):
                yield printable(f"{_INDENT}    {line.removeprefix('data:').removeprefix(' ')}")


def _websocket(flow: Flow, heading: Callable[[str], str]) -> Iterator[str]:
    record = flow.websocket
    assert record is not None
    notes = [count(record.count, "message"), count(record.size, "byte")]
    if record.truncated:
        notes.append(f"only the first {count(len(record.messages), 'message')} are recorded")
    if record.redacted:
        notes.append("secrets overwritten")
    yield ""
    yield heading(f"WebSocket: {'; '.join(notes)}")
    for number, message in enumerate(record.messages, 1):
        arrow = "client →" if message.from_client else "← server"
        cut = f", cut to {count(len(message.body), 'byte')}" if len(message.body) < message.size else ""
        after = seconds(max(0.0, message.at - flow.started))
        yield f"{_INDENT}[{number}] {arrow} {count(message.size, 'byte')}{cut}, after {after}"
        if message.text:
            yield from (f"{_INDENT}{line}" for line in content_lines(message.body, ""))
        else:
            yield f"{_INDENT}{_INDENT}(binary)"
