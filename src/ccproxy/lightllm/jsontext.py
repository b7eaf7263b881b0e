"""JSON to values and back, the one way this package does it.

msgspec does the work. One thing it refuses is legal on the wire and seen in practice, so the standard library takes
over for it: a lone surrogate escape (`"\\ud83d"`, what a client that cut a text inside an emoji sends) is read and
written back as such. NaN, Infinity and numbers beyond a double are refused when read (JSON cannot say them back) and
written as null, as JavaScript does. Every failure is a `JsonError`, whatever the bytes.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import msgspec

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

#: What `decode` takes: text, or anything that holds bytes.
type JsonText = str | bytes | bytearray | memoryview | msgspec.Raw


class JsonError(ValueError):
    """The text is not JSON (or is nested beyond what can be parsed). The message says what is wrong, never the text."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse("a number out of range")


def lenient_decoder() -> json.JSONDecoder:
    """The standard library's decoder with the constants that are not JSON refused."""
    return json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def loads(text: JsonText) -> Any:
    """The value `text` stands for: dict, list, str, int, float, bool or None. Raises JsonError."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError) as problem:
        first = problem
    except RecursionError:
        raise JsonError("nested too deeply") from None
    try:
        decoded = text if isinstance(text, str) else bytes(text).decode("utf-8")
        return lenient_decoder().decode(decoded)
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except ValueError:
        raise JsonError(_plain(first)) from None


def loads_or_none(text: JsonText) -> Any:
    """Like `loads`, but None for what is not JSON."""
    try:
        return loads(text)
    except JsonError:
        return None


def dumps(value: object) -> bytes:
    """`value` as compact UTF-8 JSON. Raises JsonError for what JSON cannot say."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        pass
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except (TypeError, ValueError) as problem:
        raise JsonError(str(problem)) from None
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as problem:
        raise JsonError(str(problem)) from None


def dumps_text(value: object) -> str:
    """`dumps` as text."""
    return dumps(value).decode("utf-8")


def _plain(problem: Exception) -> str:
    """msgspec's message, made to read after "not JSON: "; it never quotes the input."""
    text = str(problem)
    return text.removeprefix("JSON is malformed: ") or "malformed"
