"""The one line in the log for every exchange: who asked for what, where it went, how it ended."""

from __future__ import annotations

import logging

from ccproxy.exchange.exchange import Exchange

_log = logging.getLogger("ccproxy.exchange")


def log_exchange(exchange: Exchange) -> None:
    """INFO for a healthy exchange and for a client that left, WARNING for what someone should look at."""
    failure = exchange.failure
    level = logging.WARNING if failure is not None else logging.INFO
    if not _log.isEnabledFor(level):
        return
    timings, route = exchange.timings, exchange.route
    parts = [exchange.request.method, exchange.request.path]
    if route is not None and route.action != "local":
        parts += ["->", route.provider or route.host]
    if exchange.model:
        parts.append(exchange.model)
    answer = exchange.answer or exchange.response
    parts.append(str(answer.status) if answer is not None else "-")
    parts.append(f"{timings.end - timings.begin:.3f}s")
    if exchange.story:
        parts.append(f"tries={len(exchange.story)}")
    if exchange.outcome != "complete":
        parts.append(exchange.outcome)
    parts.append(f"flow={exchange.id}")
    if failure is not None:
        parts.append(f"{failure.kind}: {failure.message}")
    _log.log(level, "%s", " ".join(parts))
