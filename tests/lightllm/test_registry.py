"""Dialects are found by their folders, and adding one touches nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from ccproxy.errors import ConfigError
from ccproxy.lightllm.dialect import Capabilities, Context, Dialect, Frame, Paths, Target
from ccproxy.lightllm.errors import ErrorInfo, plain_text_error
from ccproxy.lightllm.ir.events import End, Stop, TextDelta
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Text, text_of
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.jsontext import loads
from ccproxy.lightllm.machine import BaseDecoder, BaseEncoder
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.translate import DocumentTranslator, StreamTranslator

# The whole of a dialect whose messages are {"say": text} and whose streams are {"more": text}* {"done": true}.


class ToyDecoder(BaseDecoder):
    def __init__(self, context: Context) -> None:
        super().__init__(context, "toy")

    def _frame(self, name: str | None, data: bytes) -> None:
        value: dict[str, Any] = loads(data)
        if "more" in value:
            if not self.has("text"):
                self.begin("text", Text(""))
            self.add("text", TextDelta(value["more"]))
        else:
            self.end(Stop("end"))

    def _document(self, body: bytes) -> None:
        self.whole(Text(loads(body)["say"]))
        self.end(Stop("end"))


class ToyEncoder(BaseEncoder):
    speaks = (Text,)

    def __init__(self, context: Context) -> None:
        super().__init__(context, "toy")

    def on_text(self, text: str) -> list[Frame]:
        return [Frame({"more": text})]

    def on_end(self, event: End) -> list[Frame]:
        return [Frame({"done": True})]

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        return [Frame({"failed": error.message})]


def collect(frames: Sequence[Frame]) -> bytes:
    return json.dumps({"say": "".join(frame.data.get("more", "") for frame in frames)}).encode()


def read(body: bytes, model: str, stream: bool | None) -> Request:
    return Request(model, (Message("user", (Text(loads(body)["say"]),)),), "toy", stream=bool(stream))


def write(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    return json.dumps({"say": " ".join(text_of(message.parts) for message in request.messages)}).encode()


TOY = Dialect(
    name="toy",
    capabilities=Capabilities(),
    paths=Paths(generate="/say/{model}"),
    match=lambda path: "generate" if path.startswith("/say") else "",
    read_request=read,
    write_request=write,
    decoder=ToyDecoder,
    encoder=ToyEncoder,
    collect=collect,
    decode_error=plain_text_error,
    encode_error=lambda error: (error.http_status, json.dumps({"message": error.message}).encode()),
)


def test_a_new_dialect_speaks_to_every_other_both_ways() -> None:
    registry = Registry(TOY)
    assert "toy" in registry
    for other in registry:
        sent = other.encode_request(TOY.decode_request(b'{"say": "hi"}', model="m"), Target(model="x"))
        received = TOY.encode_request(other.decode_request(sent.body, model="x"), Target())
        assert json.loads(received.body) == {"say": "hi"}
        assert received.path == "/say/x"
        translator = StreamTranslator(TOY, other, Context())
        stream = (
            translator.feed(b'data: {"more": "hel"}\n\ndata: {"more": "lo"}\n\ndata: {"done": true}\n\n')
            + translator.eof()
        )
        back = StreamTranslator(other, TOY, Context())
        assert (
            back.feed(stream) + back.eof() == b'data: {"more":"hel"}\n\ndata: {"more":"lo"}\n\ndata: {"done":true}\n\n'
        )
        answer = DocumentTranslator(TOY, other, Context()).translate(b'{"say": "hello"}')
        assert answer.status == 200
        assert json.loads(DocumentTranslator(other, TOY, Context()).translate(answer.body).body) == {"say": "hello"}


def test_the_dialects_of_this_package_are_found_by_their_folders() -> None:
    registry = Registry()
    assert "anthropic" in registry.names()
    assert registry.get("anthropic").name == "anthropic"
    assert registry.get("anthropic") is registry.get("anthropic")
    with pytest.raises(ConfigError, match=r"no dialect 'klingon'.*there are: .*anthropic"):
        registry.get("klingon")


def test_knowing_the_names_imports_no_dialect_and_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from ccproxy.lightllm.registry import Registry\n"
        "names = Registry().names()\n"
        "assert names\n"
        "assert not [name for name in sys.modules if name.startswith('ccproxy.lightllm.dialects.')]\n"
        "list(Registry())\n"
        "import ccproxy.lightllm.translate\n"
        "heavy = {'asyncio', 'pydantic', 'aiohttp', 'anthropic', 'openai', 'google', 'brotli', 'zstandard', 'dataclasses'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
