"""The backend of Codex for ChatGPT accounts: OpenAI's Responses, narrower.

It keeps nothing (`store: false`), answers with streams alone, takes `input` as a list of items and no limit of the
answer's length. What a request says otherwise is put right, in sight; all else goes as it came.
"""

from __future__ import annotations

from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.providers.base import ProviderType

#: Fields of the public API that it refuses.
_REFUSED = ("max_output_tokens",)


def adapt(body: JsonBody, losses: LossLedger) -> None:
    """Brings a request within what the backend takes."""
    if body.get("store") is not False:
        losses.approximated("store", "the Codex backend keeps no answers", body.get("store"), False)
        body["store"] = False
    if body.get("stream") is not True:
        body["stream"] = True  # no loss: the answer is put together again for the client
    text = body.get("input")
    if isinstance(text, str):
        content = [{"type": "input_text", "text": text}]
        body["input"] = [{"type": "message", "role": "user", "content": content}]
    for name in _REFUSED:
        if name in body:
            losses.dropped(name, "the Codex backend refuses it", body.get(name))
            body.delete(name)


TYPES = (
    ProviderType(
        name="codex",
        dialects=("openai_responses",),
        host="chatgpt.com",
        path="/backend-api/codex/responses",
        main="/responses",
        adapt=adapt,
        streams=True,
    ),
)
