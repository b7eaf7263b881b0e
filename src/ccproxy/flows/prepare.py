"""The work on a recorded flow that needs its bodies decompressed: `clean` removes secrets from bodies with a content
coding before anything is written anywhere, `read_bodies` reads what they tell off
them, in the writer's thread."""

from __future__ import annotations

from typing import NamedTuple

from ccproxy.flows import answer, arrivals, coding, conversation, cost, usage
from ccproxy.flows.model import Flow, Message, Usage
from ccproxy.flows.prompt import MOST_TEXT, new_text
from ccproxy.flows.redact import Scrubber, clean_coded_body, is_oauth
from ccproxy.flows.terms import Terms

#: What of one body is searched where nothing must wait: more goes to a thread. Bytes before and after decompression.
SMALL_CODED = 16 * 1024
SMALL_DECODED = 128 * 1024


def clean(flow: Flow, scrubber: Scrubber, *, small: bool = False) -> bool:
    """Removes what secrets the coded bodies of `flow` hold, in place.

    Args:
        small: stop at a body that takes more than a moment.

    Returns whether all is done; if not, nothing is wrong with calling it again.
    """
    request, forwarded, response = flow.request, flow.forwarded, flow.response
    messages: list[tuple[Message, bool]] = [(request, False)] if _coded(request) else []
    shared = alike = False
    if forwarded is not None:
        shared = forwarded.body is request.body
        if shared and not messages:
            alike = not _coded(forwarded)
        elif shared:
            alike = forwarded.header("content-encoding") == request.header("content-encoding")
        if not alike and _coded(forwarded):
            messages.append((forwarded, False))
    if response is not None and _coded(response):
        messages.append((response, True))  # a converted answer is never coded
    if not messages:
        return True
    oauth = is_oauth(flow.request.target)
    for message, is_answer in messages:
        if small and len(message.body) > SMALL_CODED:
            return False
        cleaned = clean_coded_body(
            message.body,
            message.header("content-encoding"),
            scrubber,
            oauth=oauth,
            answer=is_answer,
            truncated=message.truncated,
            limit=SMALL_DECODED if small else coding.MAX_DECODED,
            whole=small,
        )
        if cleaned is None:
            return False
        if cleaned is not message.body:
            message.body, message.redacted = cleaned, True
            flow.shared = None
    if alike and forwarded is not None:
        forwarded.body, forwarded.redacted, forwarded.truncated = request.body, request.redacted, request.truncated
    return True


def _coded(message: Message) -> bool:
    return bool(message.body and (encoding := message.header("content-encoding")) and coding.codings(encoding))


class Spoken(NamedTuple):
    """What is said in an exchange: the new words of the request, and those of the answer. Valid Unicode."""

    prompt: str
    answer: str


def read_bodies(flow: Flow) -> Spoken:
    """Fills in what the bodies tell: tokens and model, tools, moments of the stream, and the conversation, as far as it is
    not known. Returns what there is to search for."""
    # What depends on tokens and model, such as the cost, belongs after this.
    answered = _read_answer(flow)
    asked = _read_request(flow)
    return Spoken(_clean(asked), _clean(answered))


def _read_request(flow: Flow) -> str:
    """The conversation, and the new words."""
    websocket = flow.websocket
    if websocket is not None:
        sent = (message.body for message in websocket.messages if message.from_client and message.text)
        asked = "\n".join(filter(None, (new_text(conversation.parse(body)) for body in sent)))[:MOST_TEXT]
    else:
        asked = ""
    if flow.kind and websocket is not None:
        return asked
    request = conversation.parse(_decoded(flow.request))
    if not flow.kind:
        _identify(flow, request)
    if flow.kind == "count_tokens" or websocket is not None:
        return asked  # a count is followed by the request itself
    return new_text(request)


def _identify(flow: Flow, body: conversation.RequestBody) -> None:
    client = f"{flow.client_address} {flow.client_key}"
    found = conversation.identify(flow.operation, flow.request.headers, body, client=client)
    flow.session = flow.session or found.session
    flow.conversation = flow.conversation or found.conversation
    flow.parent = flow.parent or found.parent
    flow.kind = found.kind


def _read_answer(flow: Flow) -> str:
    """Tokens, model, price, tools, the moments of a stream; and the words."""
    dialect = flow.upstream_dialect or flow.dialect
    response = flow.response
    answers: list[tuple[Usage, Terms]] = []
    if flow.websocket is not None:
        bodies = [message.body for message in flow.websocket.messages if not message.from_client and message.text]
        found, model = usage.read_messages(bodies, dialect, answers)
        said = answer.read_messages(bodies)
    elif response is not None and response.body:
        body = _decoded(response)
        terms = Terms()
        found, model = usage.read(body, dialect, terms)
        if found is not None:
            answers.append((found, terms))
        said = answer.read(body) if response.status < 400 else answer.Said()
        if said.first >= 0 and flow.arrivals:
            arrived = arrivals.decoded(flow.arrivals, response.body, response.header("content-encoding"))
            for name, end in (("ttft", said.first), ("last", said.last)):
                if (moment := arrivals.at(arrived, end - 1)) is not None:
                    flow.timings[name] = moment
    else:
        return ""
    if found is not None:
        flow.usage = found
    if model:
        flow.answer_model = model
    costs = [cost.cost(flow, counted, terms) for counted, terms in answers]
    known = [one for one in costs if one is not None]
    flow.cost = sum(known) if known and len(known) == len(costs) else None
    flow.tools = said.tools
    return said.text


def _decoded(message: Message) -> bytes:
    """The body without its content coding, as far as it can be read."""
    encoding = message.header("content-encoding")
    if not encoding:
        return message.body
    decoded = coding.decode(message.body, encoding)
    return b"" if decoded is None else decoded.data


def _clean(text: str) -> str:
    """Without what SQLite cannot keep or search past."""
    return (text if text.isascii() else text.encode("utf-8", "replace").decode()).replace("\0", " ")
