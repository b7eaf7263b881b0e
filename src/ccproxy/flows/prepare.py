"""The work on a recorded flow that needs its bodies decompressed: done in the store's writer thread, before anything
is written. Secrets in bodies with a content coding are removed, and usage and model are read off the answer."""

from __future__ import annotations

from ccproxy.flows import coding, usage
from ccproxy.flows.model import Flow, Message
from ccproxy.flows.redact import Scrubber, clean_coded_body, is_oauth


def prepare(flow: Flow, scrubber: Scrubber) -> None:
    """Completes `flow` in place."""
    oauth = is_oauth(flow.request.target)
    forwarded = flow.forwarded
    shared = forwarded is not None and forwarded.body is flow.request.body
    _clean(flow.request, scrubber, oauth=oauth, answer=False)
    if forwarded is not None:
        if shared and forwarded.header("content-encoding") == flow.request.header("content-encoding"):
            forwarded.body, forwarded.redacted = flow.request.body, flow.request.redacted
            forwarded.truncated = flow.request.truncated
        else:
            _clean(forwarded, scrubber, oauth=oauth, answer=False)
    if flow.response is not None:
        _clean(flow.response, scrubber, oauth=oauth, answer=True)
    _read_usage(flow)


def _clean(message: Message, scrubber: Scrubber, *, oauth: bool, answer: bool) -> None:
    if not message.body or not (encoding := message.header("content-encoding")) or not coding.codings(encoding):
        return
    cleaned = clean_coded_body(
        message.body, encoding, scrubber, oauth=oauth, answer=answer, truncated=message.truncated
    )
    if cleaned is not message.body:
        message.body, message.redacted = cleaned, True


def _read_usage(flow: Flow) -> None:
    if flow.websocket is not None:
        answers = (message.body for message in flow.websocket.messages if not message.from_client and message.text)
        found, model = usage.read_messages(answers, flow.dialect)
    elif flow.response is not None and flow.response.body:
        found, model = usage.read_coded(flow.response.body, flow.response.header("content-encoding"), flow.dialect)
    else:
        return
    if found is not None:
        flow.usage = found
    if model:
        flow.answer_model = model
