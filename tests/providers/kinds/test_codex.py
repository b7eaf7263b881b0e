from __future__ import annotations

import json

from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.providers.kinds.codex import adapt


def adapted(body: bytes) -> tuple[bytes, list[str]]:
    document, losses = JsonBody(body), LossLedger()
    adapt(document, losses)
    return document.raw, [f"{loss.path} {loss.kind}" for loss in losses]


def test_what_codex_itself_sends_stays_to_the_byte() -> None:
    body = b'{"model":"m", "input":[{"role":"user"}],"store":false,  "stream":true,"own":1.50}'

    assert adapted(body) == (body, [])


def test_what_the_public_api_allows_is_put_right_in_sight() -> None:
    body, losses = adapted(b'{"model":"m","input":"hi","max_output_tokens":5,"store":true,"stream":false}')

    assert json.loads(body) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
        "stream": True,
    }
    assert losses == ["store approximated", "max_output_tokens dropped"]
