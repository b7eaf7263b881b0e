"""What a WebSocket that is relayed tells of itself: the model it asks for, and the error its last answer ended with.

Messages pass as they are and are only looked at where the look is cheap: the client's until one names a model, the
provider's where the beginning of a message says that it ends an answer. An error that a later answer makes good is
none of the exchange.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ccproxy.exchange.exchange import Exchange, Failure
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.dialect import Context, Dialect
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Failed
from ccproxy.lightllm.jsontext import loads_or_none

#: Messages of the client that are looked at for a model.
_MOST_LOOKS = 8
#: Where the type of an event stands, in what every server writes.
_BEGINNING = 200
_LAST = re.compile(r'"type"\s*:\s*"(error|response\.(?:failed|completed|incomplete))"')


class Overheard:
    """Listens to one socket.

    Args:
        dialect: what is spoken on it, or None if that is not known: then nothing is understood.
        on_error: told what an answer ended with, if that was an error.
    """

    def __init__(
        self, exchange: Exchange, dialect: Dialect | None, on_error: Callable[[ErrorInfo], None] = lambda error: None
    ) -> None:
        self._exchange = exchange
        self._dialect = dialect
        self._on_error = on_error
        self._looks = 0 if exchange.model or dialect is None else _MOST_LOOKS

    def asked(self, message: str | bytes) -> None:
        """A message of the client."""
        if not self._looks or isinstance(message, bytes):
            return
        self._looks -= 1
        body = JsonBody(message.encode("utf-8", "surrogatepass"))
        model = body.get("model") if body.is_object else None
        if isinstance(model, str) and model:
            self._exchange.model = model
            self._looks = 0

    def answered(self, message: str | bytes) -> None:
        """A message of the provider."""
        if self._dialect is None or isinstance(message, bytes):
            return
        found = _LAST.search(message, 0, _BEGINNING)
        if found is None:
            return
        if found[1] in {"error", "response.failed"}:
            self._failed(message)
        elif self._exchange.outcome == "upstream_error":
            self._exchange.outcome, self._exchange.failure = "pending", None

    def _failed(self, message: str) -> None:
        assert self._dialect is not None
        data = message.encode("utf-8", "surrogatepass")
        value = loads_or_none(data)
        kind = value.get("type") if isinstance(value, dict) else ""
        if kind not in {"error", "response.failed"}:
            return
        events = self._dialect.decoder(Context()).frame(str(kind), data)
        error = next((event.error for event in events if isinstance(event, Failed)), None)
        if error is not None:
            value = value if isinstance(value, dict) else {}
            status = value.get("status")
            if isinstance(status, int) and not error.status:
                error = msgspec.structs.replace(error, status=status)
            self._on_error(error)
        text = error.message if error is not None else "the provider reported an error"
        self._exchange.outcome, self._exchange.failure = "upstream_error", Failure("upstream_error", text)
