"""The work on a recorded flow that needs its bodies decompressed: `clean` removes secrets from bodies with a content
coding before anything is written anywhere, `read_bodies` reads what they tell off
them, in the writer's thread."""

from __future__ import annotations

from ccproxy.flows import coding, conversation, usage
from ccproxy.flows.model import Flow, Message
from ccproxy.flows.redact import Scrubber, clean_coded_body, is_oauth

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
    for message, answer in messages:
        if small and len(message.body) > SMALL_CODED:
            return False
        cleaned = clean_coded_body(
            message.body,
            message.header("content-encoding"),
            scrubber,
            oauth=oauth,
            answer=answer,
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


def read_bodies(flow: Flow) -> None:
    """Fills in what the bodies tell: tokens and model, and the conversation, as far as it is not known."""
    read_usage(flow)
    if not flow.kind:
        _read_conversation(flow)


def _read_conversation(flow: Flow) -> None:
    request = flow.request
    body = request.body
    if encoding := request.header("content-encoding"):
        decoded = coding.decode(body, encoding)
        body = decoded.data if decoded is not None else b""
    found = conversation.identify(
        flow.operation, request.headers, body, client=f"{flow.client_address} {flow.client_key}"
    )
    flow.session = flow.session or found.session
    flow.conversation = flow.conversation or found.conversation
    flow.parent = flow.parent or found.parent
    flow.kind = found.kind


def read_usage(flow: Flow) -> None:
    """Fills in what the answer says about tokens and model."""
    dialect = flow.upstream_dialect or flow.dialect
    if flow.websocket is not None:
        answers = (message.body for message in flow.websocket.messages if not message.from_client and message.text)
        found, model = usage.read_messages(answers, dialect)
    elif flow.response is not None and flow.response.body:
        found, model = usage.read_coded(flow.response.body, flow.response.header("content-encoding"), dialect)
    else:
        return
    if found is not None:
        flow.usage = found
    if model:
        flow.answer_model = model
