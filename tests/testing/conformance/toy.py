"""The dialect of the how-to, and variants of it that each break one law."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

from ccproxy.lightllm.dialect import Capabilities, Dialect, Frame, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import End, Event, Stop
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.registry import Registry
from ccproxy.testing.conformance import Check, Conformance, LawBroken

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-dialect.md"

_BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
_PYTHON = [text for kind, text in _BLOCKS if kind == "python"]
#: The page's dialect, its golden stream, and its test file.
SOURCE = "\n".join(_PYTHON[:3])
[STREAM] = [text for kind, text in _BLOCKS if kind == "text"]
TEST = _PYTHON[3]

REQUEST = {
    "model": "parley-1",
    "temperature": 0.5,
    "mood": "calm",
    "tools": [{"name": "weather", "about": "Tells it.", "schema": {"type": "object", "properties": {}}}],
    "turns": [
        {"role": "system", "parts": [{"text": "Be kind."}]},
        {"role": "user", "parts": [{"text": "Hello."}]},
        {"role": "assistant", "parts": [{"call": "c1", "tool": "weather", "with": {"city": "Paris"}}]},
        {"role": "user", "parts": [{"result": "c1", "text": "Rain.", "failed": True}]},
    ],
}
DOCUMENT = {"answer": [json.loads(line[6:]) for line in STREAM.splitlines() if line]}


def _module() -> ModuleType:
    module = ModuleType("parley")
    exec(compile(SOURCE, str(PAGE), "exec"), module.__dict__)
    return module


parley: Any = _module()
TOY: Dialect = parley.DIALECT


def write_cases(folder: Path) -> Path:
    """The toy's golden cases, in `folder`."""
    files = {
        "tools/stream.txt": STREAM.encode(),
        "tools/document.json": json.dumps(DOCUMENT).encode(),
        "history/request.json": json.dumps(REQUEST).encode(),
        "errors/error.json": json.dumps({"status": 429, "body": {"failed": "Slowly."}}).encode(),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def kit(dialect: Dialect, cases: Path | None = None) -> Conformance:
    """The kit on a dialect, with ours on the other side."""
    return Conformance(dialect, cases, registry=Registry(dialect), examples=30)


def verdict(check: Check) -> LawBroken | None:
    """What a check raises."""
    try:
        check()
    except LawBroken as broken:
        return broken
    return None


# Variants: each does one thing wrong


class Remembers(parley.ParleyDecoder):  # type: ignore[misc,name-defined]
    """State of one answer reaches the next."""

    numbers = itertools.count()

    def _frame(self, name: str | None, data: bytes) -> None:
        super()._frame(name, data)
        if next(self.numbers) % 3 == 0:
            self.ping()


class TakesCutsForEnds(parley.ParleyDecoder):  # type: ignore[misc,name-defined]
    """A stream that was cut reads as complete."""

    def _eof(self) -> None:
        self.end(Stop("end"))


class NeverEnds(parley.ParleyDecoder):  # type: ignore[misc,name-defined]
    """A cut stream has no end at all."""

    def eof(self) -> list[Event]:
        return []


class Trusts(parley.ParleyDecoder):  # type: ignore[misc,name-defined]
    """What the upstream sends is never wrong."""

    def _frame(self, name: str | None, data: bytes) -> None:
        json.loads(data)
        super()._frame(name, data)


class ForgetsUsage(parley.ParleyEncoder):  # type: ignore[misc,name-defined]
    """The price of an answer is lost."""

    def on_end(self, event: End) -> list[Frame]:
        self.usage = None
        return super().on_end(event)  # type: ignore[no-any-return]


class Flatters(parley.ParleyEncoder):  # type: ignore[misc,name-defined]
    """Every answer ended well."""

    def on_end(self, event: End) -> list[Frame]:
        return super().on_end(End(Stop("end")))  # type: ignore[no-any-return]


class HidesFailures(parley.ParleyEncoder):  # type: ignore[misc,name-defined]
    """A failure is a normal ending."""

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        return [Frame({"say": error.message}), Frame({"done": "end"})]


class Leaks(parley.ParleyEncoder):  # type: ignore[misc,name-defined]
    """Frames of an upstream's dialect go out to the client."""

    def on_end(self, event: End) -> list[Frame]:
        return [*super().on_end(event), Frame({"type": "message_stop"})]


def _without_calls(frames: Any) -> bytes:
    return parley.collect([frame for frame in frames if "call" not in frame.data])  # type: ignore[no-any-return]


type Edit = Callable[[dict[str, Any]], dict[str, Any]]


def _writes(edit: Edit) -> Any:
    """`write_request` with its result edited."""

    def write(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
        return json.dumps(edit(json.loads(parley.write_request(request, target, capabilities, ledger)))).encode()

    return write


def _without(*names: str) -> Any:
    return _writes(lambda body: {name: value for name, value in body.items() if name not in names})


def _numbered(body: dict[str, Any]) -> dict[str, Any]:
    return {"count": len(body["turns"]), **body}


def _trusting(body: bytes, model: str, stream: bool | None) -> Request:
    json.loads(body)["turns"]
    return parley.read_request(body, model, stream)  # type: ignore[no-any-return]


def _vague(error: ErrorInfo) -> tuple[int, bytes]:
    return 200, json.dumps({"answer": [{"done": "end"}]}).encode()


def _replace(**changes: Any) -> Dialect:
    return msgspec.structs.replace(TOY, **changes)


def _decoder(kind: Any) -> Dialect:
    return _replace(decoder=kind)


def _encoder(kind: Any) -> Dialect:
    return _replace(encoder=kind)


class Broken(NamedTuple):
    """A variant of the toy, and a check that has to notice."""

    law: int
    check: str
    dialect: Dialect


#: Found by the golden cases and the fixed checks.
BROKEN = [
    Broken(1, "1-any-cutting-tools", _decoder(Remembers)),
    Broken(2, "2-every-prefix-tools", _decoder(TakesCutsForEnds)),
    Broken(2, "2-every-prefix-tools", _decoder(NeverEnds)),
    Broken(3, "3-stream-and-document-tools", _replace(collect=_without_calls)),
    Broken(4, "4-request-history", _replace(write_request=_without("temperature"))),
    Broken(4, "4-request-history", _replace(write_request=_without("mood"))),
    Broken(4, "4-document-tools", _encoder(Flatters)),
    Broken(4, "4-error-errors", _replace(encode_error=_vague)),
    Broken(5, "5-request-history-to-parley", _replace(write_request=_without("tools"))),
    Broken(5, "5-stream-tools-to-parley", _encoder(ForgetsUsage)),
    Broken(7, "7-a-failure-stays-one-rate_limit", _encoder(HidesFailures)),
    Broken(7, "7-a-failure-stays-one-api", _replace(encode_error=_vague)),
    Broken(7, "7-half-an-answer", _decoder(TakesCutsForEnds)),
    Broken(8, "8-prefix-history-to-parley", _replace(write_request=_writes(_numbered))),
]

#: Found by random input.
BROKEN_AT_RANDOM = [
    Broken(1, "1-any-answer-however-cut", _decoder(Remembers)),
    Broken(3, "3-any-answer-streamed-and-buffered", _replace(collect=_without_calls)),
    Broken(3, "3-any-answer-streamed-and-buffered", _encoder(ForgetsUsage)),
    Broken(5, "5-any-answer-from-another-anthropic", _encoder(Flatters)),
    Broken(5, "5-any-conversation", _replace(write_request=_without("temperature"))),
    Broken(5, "5-any-conversation", _replace(write_request=_without("tools"))),
    Broken(6, "6-any-bytes-end", _replace(read_request=_trusting)),
    Broken(6, "6-a-damaged-stream-ends-tools", _decoder(Trusts)),
    Broken(6, "6-a-damaged-request-is-read-or-refused-history", _replace(read_request=_trusting)),
    Broken(7, "7-any-answer-leaks-nothing-anthropic", _encoder(Leaks)),
    Broken(8, "8-any-conversation-extends-its-beginning", _replace(write_request=_writes(_numbered))),
]


def broken_by(broken: Broken, cases: Path) -> tuple[LawBroken | None, LawBroken | None]:
    """What the check says of the sound toy, and of the broken one."""
    [sound] = [check for check in kit(TOY, cases).checks() if str(check) == broken.check]
    [check] = [check for check in kit(broken.dialect, cases).checks() if str(check) == broken.check]
    return verdict(sound), verdict(check)
