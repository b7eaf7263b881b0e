"""How an exception of somebody else's code is told in one line."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

from ccproxy.errors import CCProxyError
from ccproxy.util.redact import redact_text

_LONGEST = 300


def described(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """What happened, in one line without secrets: `ValueError: no such team (my_hook.py:12)`."""
    if isinstance(error, CCProxyError):
        return _line(str(error), secrets)
    text = _line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, secrets)
    where = _where(error)
    return f"{text} ({where})" if where else text


def _line(text: str, secrets: Iterable[str]) -> str:
    text = redact_text(" ".join(text.split()), secrets)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _where(error: BaseException) -> str:
    """File and line of the innermost frame outside of this package, or ""."""
    own = str(Path(__file__).parent)
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '?').name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith((own, "<"))]
    return f"{Path(outside[-1].filename).name}:{outside[-1].lineno}" if outside else ""
