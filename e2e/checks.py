"""What must hold of a client that works through the proxy: one function a check.

A check returns what is to be said of a good end, and raises `Trouble` otherwise.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from dataclasses import dataclass

from ccproxy.flows.model import Flow
from ccproxy.testing import Received
from clients import ACCOUNT, GOOGLE, LOGIN, LOGINS, MARK, OWN, REFRESH, ROOMY, THEIRS, Case
from play import USAGE, Broken, Full, Halved, Play
from workplace import MANNERS, PATIENCE, Ended, Trouble, Workplace

#: Seconds within which the provider must see that a client has gone. The proxy promises a quarter of one; the rest is
#: for a busy machine.
PROMPT = 1.0
_MODEL_OPERATIONS = {"messages", "chat", "responses", "generate"}


@dataclass(frozen=True)
class Verdict:
    """A good end: what to say of it, and how many requests the provider got."""

    text: str
    requests: int


def tool_turn(place: Workplace, case: Case, needle: str) -> Verdict:
    """The client reads a file with a tool of its own and tells what it says."""
    play = Play(place.provider, place.needle, case.websocket)
    if case.login:
        place.sign_in(case.login, expired=not case.refused)
        play.accepts = place.endpoints[case.login].accepts
        if case.refused:
            place.endpoints[case.login].expire()
    before = len(place.provider.requests)
    ended = place.start(case, play).wait(PATIENCE)
    refused = {request.index for request in play.turned_away}
    requests = [request for request in place.provider.requests[before:] if request.index not in refused]
    flows = place.flows(len(requests))
    if ended.code or needle not in ended.out:
        raise Trouble(f"the client did not tell the needle: {ended.tail}; {_heard(play)}; {_outcomes(flows)}")
    if play.found != needle:
        raise Trouble(f"the needle did not come back from the tool: {play.found!r}")
    if play.turns != 2:
        raise Trouble(f"{play.turns} model requests instead of 2: something was asked again")
    if case.note not in ended.err:
        raise Trouble(f"`ccproxy run` did not say {case.note!r}: {ended.err[:300]!r}")
    _judge_requests(place, requests, case)
    if bad := [flow for flow in flows if not _ended_well(flow)]:
        raise Trouble(f"flows that did not end well: {_outcomes(bad)}")
    _judge_identity(requests, flows, case)
    _judge_usage(flows)
    _judge_login(place, case, requests, flows)
    if not place.places_of([needle], flows):
        raise Trouble("the flows do not hold what was said, so no secret could be found in them either")
    _judge_secrets(place, case, flows)
    _judge_commands(place, flows)
    return Verdict("ok", len(requests))


def full_model(place: Workplace, case: Case, needle: str) -> Verdict:
    """The model that the client asks is full: after one more try another one answers, and the client sees nothing of it."""
    play = Full(place.provider, place.needle, roomy=ROOMY)
    before = len(place.provider.requests)
    ended = place.start(case, play).wait(PATIENCE)
    requests = place.provider.requests[before:]
    flows = place.flows(2)
    if ended.code or needle not in ended.out:
        raise Trouble(f"the client did not tell the needle: {ended.tail}; {_heard(play)}; {_outcomes(flows)}")
    if (play.turns, play.refused) != (2, 4):
        raise Trouble(f"{play.turns} answers and {play.refused} refusals instead of 2 and 4")
    if bad := [flow for flow in flows if not _ended_well(flow) or len(flow.story) != 3]:
        raise Trouble(f"flows that do not tell the tries: {_outcomes(bad)}")
    _judge_secrets(place, case, flows)
    return Verdict("ok", len(requests))


def jailed_turn(place: Workplace, case: Case, needle: str) -> Verdict:
    """The same in a jail: the client finds its provider by itself, and its requests are the gateway's all the same."""
    play = Play(place.provider, place.needle, case.websocket)
    before = len(place.provider.requests)
    ended = place.start(case, play).wait(PATIENCE)
    requests = place.provider.requests[before:]
    flows = place.flows(len(requests))
    if ended.code or needle not in ended.out:
        raise Trouble(f"the client did not tell the needle: {ended.tail}; {_heard(play)}; {_outcomes(flows)}")
    if play.turns != 2:
        raise Trouble(f"{play.turns} model requests instead of 2: {_outcomes(flows)}")
    _judge_requests(place, requests, case)
    models = [flow for flow in flows if flow.operation in _MODEL_OPERATIONS]
    # Hooks are not called for a WebSocket as such.
    if not models or not all(_marked(flow) for flow in models if flow.request.method == "POST"):
        raise Trouble(f"requests for the model that no hook has seen: {_outcomes(models)}")
    if bad := [flow for flow in models if not _ended_well(flow) or flow.door != "interceptor" or not flow.process]:
        raise Trouble(f"requests for the model that did not come out of the jail: {_outcomes(bad)}")
    runs = {flow.run for flow in flows}
    summary = re.search(r"run (\w+): \d+ requests?; .*tokens", ended.err)
    if summary is None or runs != {summary[1]}:
        raise Trouble(f"the run was not summed up as {runs}: {ended.err[-300:]!r}")
    _judge_usage(models)
    _judge_secrets(place, case, flows)
    others = len(flows) - len(models)
    return Verdict(f"ok, {others} other flow{'s' if others != 1 else ''}" if others else "ok", len(requests))


def _marked(flow: Flow) -> bool:
    return flow.forwarded is not None and flow.forwarded.header(MARK[0]) == MARK[1]


def refuses(place: Workplace, case: Case, status: int) -> Verdict:
    """The provider answers with an error: the client must not take it for a success, and gets it as it is."""
    play = Broken(place.provider, place.needle, case.websocket, status=status)
    before = len(place.provider.requests)
    ended = place.start(case, play, patient=False).wait(PATIENCE)
    requests = place.provider.requests[before:]
    flows = place.flows(len(requests))
    seen = _seen_as_failure(ended)
    answered = sum(_errors_in(flow, status) for flow in flows)
    if answered < play.turns or not play.turns:
        raise Trouble(f"{play.turns} answers with {status} were given: {_outcomes(flows)}")
    told = "tells its message" if play.message in ended.said else "does not tell its message"
    _judge_secrets(place, case, flows)
    return Verdict(f"{seen}, {told}", len(requests))


def cuts(place: Workplace, case: Case) -> Verdict:
    """The provider ends the connection in the middle of every answer."""
    play = Halved(place.provider, place.needle, case.websocket, cut=True)
    before = len(place.provider.requests)
    ended = place.start(case, play, patient=False).wait(PATIENCE)
    requests = place.provider.requests[before:]
    flows = place.flows(len(requests))
    seen = _seen_as_failure(ended)
    cut = [flow for flow in flows if flow.outcome == "upstream_cut"]
    if len(cut) < play.turns or not cut:
        raise Trouble(f"{play.turns} answers were cut: {_outcomes(flows)}")
    _judge_secrets(place, case, flows)
    return Verdict(seen, len(requests))


def interrupted(place: Workplace, case: Case, number: signal.Signals) -> Verdict:
    """The client gets a signal in the middle of an answer: the upstream must be closed at once."""
    play = Halved(place.provider, place.needle, case.websocket, cut=False)
    before = len(place.provider.requests)
    client = place.start(case, play, patient=False)
    try:
        if not play.reached.event.wait(PATIENCE):
            raise Trouble("the client never asked the model")
        signalled = time.monotonic()
        client.signal(number)
        ended = client.wait(MANNERS)
        died = time.monotonic()
    finally:
        client.end()
    requests = place.provider.requests[before:]
    try:
        closed = max(place.provider.wait_for_disconnect(each.index).at for each in play.halved)
    except TimeoutError as error:
        raise Trouble(f"the upstream stayed open after the client had ended: {error}") from None
    if closed > died + PROMPT:
        raise Trouble(f"the upstream was closed {closed - died:.2f} s after the client had ended")
    flows = place.flows(len(requests))
    if not any(flow.outcome == "client_gone" for flow in flows):
        raise Trouble(f"no flow says that the client has gone: {_outcomes(flows)}")
    return Verdict(f"upstream closed after {(closed - signalled) * 1000:.0f} ms (exit {ended.code})", len(requests))


def _ended_well(flow: Flow) -> bool:
    if flow.outcome == "client_gone" and flow.websocket is not None:
        # Codex leaves its WebSocket without a closing handshake, when it has what it wanted.
        last = flow.websocket.messages[-1]
        return not last.from_client and b'"response.completed"' in last.body
    return flow.outcome == "complete" or _unused(flow)


def _unused(flow: Flow) -> bool:
    """Whether a flow is a WebSocket on which neither side said a word: with a ChatGPT login Codex opens one ahead of its
    first request, and another for the request itself if that comes half a minute later."""
    return flow.response is not None and flow.response.status == 101 and flow.websocket is None


def _errors_in(flow: Flow, status: int) -> int:
    """How many answers with this status a flow holds."""
    if flow.websocket is not None:
        mark = f'"status": {status},'.encode()
        return sum(mark in message.body for message in flow.websocket.messages)
    return int(flow.response is not None and flow.response.status == status)


def _seen_as_failure(ended: Ended) -> str:
    if not ended.code:
        raise Trouble(f"taken for a success (exit 0): {ended.tail}")
    return f"seen as a failure (exit {ended.code})"


def _heard(play: Play) -> str:
    return f"model requests: {play.turns}, besides: {play.asides or 'nothing'}"


def _outcomes(flows: list[Flow]) -> str:
    lines = [
        f"{flow.request.method} {flow.request.target} {flow.response.status if flow.response else '-'} {flow.outcome} {flow.error}".strip()
        for flow in flows
    ]
    return "flows: " + ("; ".join(lines) or "none")


def _judge_requests(place: Workplace, requests: list[Received], case: Case) -> None:
    """The right credential reached the provider, and nothing of ours did."""
    for request in requests:
        values = [value.decode("latin-1") for _, value in request.headers.pairs]
        if not any(case.credential in value for value in values):
            raise Trouble(f"the wrong credential reached the provider: {request.method} {request.path}")
        whole = request.head + request.decoded() + b"".join(map(_bytes, request.messages))
        whole = whole.replace(str(place.root).encode(), b"")  # clients say where they work
        if found := re.search(rb".{0,60}ccproxy.{0,60}", whole, re.I | re.S):
            raise Trouble(f"the provider got something of ours: {found[0]!r}")


def _judge_identity(requests: list[Received], flows: list[Flow], case: Case) -> None:
    """What the provider got is what the client sent, to the byte (or what it was converted to, where that is); WebSocket
    messages too."""
    sides = [
        flow.forwarded if flow.action == "transform" or flow.answer or case.formed else flow.request
        for flow in flows
        if flow.forwarded
    ]
    sent = Counter(side.body for side in sides if side is not None and not side.redacted)
    if changed := sent - Counter(request.body for request in requests):
        raise Trouble(f"{changed.total()} bodies reached the provider changed")
    relayed = [flow for flow in flows if flow.action != "transform"]
    sockets = [flow.websocket for flow in relayed if flow.websocket and not flow.websocket.redacted]
    said = Counter(message.body for socket in sockets for message in socket.messages if message.from_client)
    if changed := said - Counter(_bytes(message) for request in requests for message in request.messages):
        raise Trouble(f"{changed.total()} WebSocket messages reached the provider changed")


def _judge_usage(flows: list[Flow]) -> None:
    for flow in flows:
        if (
            flow.operation in _MODEL_OPERATIONS
            and flow.response
            and flow.response.status in {101, 200}
            and not _unused(flow)
        ):
            counted = flow.usage.input if flow.usage else None
            if not counted or counted % USAGE.input:
                raise Trouble(f"{counted} input tokens were counted instead of {USAGE.input}: {_outcomes([flow])}")


def _judge_login(place: Workplace, case: Case, requests: list[Received], flows: list[Flow]) -> None:
    """The proxy's own login was renewed once, when it had to be, and its file has what came of it."""
    if not case.login:
        return
    endpoint, login = place.endpoints[case.login], LOGINS[case.login]
    if len(endpoint.renewals) != 1:
        raise Trouble(f"the login was renewed {len(endpoint.renewals)} times instead of once")
    text = (place.root / "proxy" / login.file).read_text()
    if endpoint.current is None or endpoint.current.access not in text or endpoint.current.refresh not in text:
        raise Trouble("the renewed login does not stand in its file")
    told = [step.then for flow in flows for step in flow.story if step.then]
    if set(told) != ({"renewed the credential"} if case.refused else set()):
        raise Trouble(f"the flows tell of the tries: {told}")
    if case.login == "codex" and (strangers := [r.path for r in requests if r.header("chatgpt-account-id") != ACCOUNT]):
        raise Trouble(f"the account does not go along: {strangers}")


def _judge_secrets(place: Workplace, case: Case, flows: list[Flow]) -> None:
    if places := place.places_of([OWN, THEIRS, LOGIN, GOOGLE, REFRESH, case.credential], flows):
        raise Trouble(f"a credential is stored: {'; '.join(places)}")


def _judge_commands(place: Workplace, flows: list[Flow]) -> None:
    """`flows list` and `flows show` can say something about every flow."""
    listing = place.ccproxy("flows", "list")
    for flow in flows:
        if flow.id not in listing:
            raise Trouble(f"`ccproxy flows list` does not list flow {flow.id}")
    place.ccproxy("flows", "show", flows[-1].id)


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message
