"""Who broke the prompt cache: for each request of a conversation how much of its prompt came from the provider's cache,
where its prompt first differs from that of the request before, what that cost, and who did it. Pure.

Strategy: prompts are lists of blocks in the cache's order (`prefix`), taken from what was forwarded, because that is what
the cache sees. A request is held against the one before it in its thread whose prompt it continues furthest. What that one
left in the cache and this one did not get is lost, and `culprits` finds out why.

Tokens of blocks are estimates, scaled to the prompt's reported length; those read and written are the provider's.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from ccproxy.flows import cache_rules, prefix
from ccproxy.flows.cost import missed
from ccproxy.flows.culprits import Cause, Seen, edited, find_cause, see, switched, unmarked
from ccproxy.flows.model import Flow
from ccproxy.flows.replay import replayed

type Verdict = Literal["first", "hit", "miss", "unknown"]

#: How many requests of a thread are looked back at.
_LOOK_BACK = 8
#: What is lost is worth a word from so many tokens on, and from this part of what there was.
_FEW, _SMALL_PART = 256, 0.03
_GENERATES = frozenset({"messages", "chat", "responses", "generate"})


class Turn(Struct, frozen=True):
    """A request. Tokens; None = not reported.

    Attributes:
        id, started, kind, provider: as in `Flow`; `model` as forwarded.
        previous: the id of the request it is held against, or "".
        prompt, read, written: the prompt, and how much of it was read from and written to the cache.
        reusable: what the request before left in the cache.
        shared: how much of the beginning of the prompt is the same as in the request before.
        lost: of `reusable` what was not read, if it is worth a word.
        dollars: what that cost more, or None if there is no price.
        note: what else there is to say.
    """

    id: str
    started: float
    kind: str
    provider: str
    model: str
    verdict: Verdict
    previous: str = ""
    prompt: int | None = None
    read: int | None = None
    written: int | None = None
    reusable: int = 0
    shared: int = 0
    lost: int = 0
    dollars: float | None = None
    cause: Cause | None = None
    note: str = ""


class Blame(Struct, frozen=True):
    """A conversation, or several: its requests in their order, and sums over them. `lost` and `dollars` by the kind of the
    cause are in `causes`; `unpriced` counts requests whose loss has no price."""

    turns: tuple[Turn, ...]
    prompt: int
    read: int
    lost: int
    dollars: float
    unpriced: int
    causes: dict[str, tuple[int, int, float]]


def blame(flows: Iterable[Flow]) -> Blame:
    """Looks at the requests of one session or of several.

    Args:
        flows: with their bodies, in the order in which they were sent. One is asked for at a time. Replays are left out.
    """
    threads: dict[tuple[str, str], deque[Seen]] = defaultdict(lambda: deque(maxlen=_LOOK_BACK))
    turns: list[Turn] = []
    for flow in flows:
        if flow.operation not in _GENERATES or flow.forwarded is None or flow.kind == "count_tokens" or replayed(flow):
            continue
        seen = see(flow)
        if isinstance(seen, str):
            turns.append(_turn(flow, "unknown", note=seen))
            continue
        thread = threads[_thread(flow)]
        turns.append(_judge(seen, thread))
        if flow.usage is not None and flow.usage.input:
            thread.append(seen)
    return _sum(turns)


def _thread(flow: Flow) -> tuple[str, str]:
    """Requests that may continue one another. The main thread of a session is one, also after a compaction, with which a
    conversation begins anew."""
    if flow.session and flow.kind in {"main", "compaction"}:
        return flow.session, "main"
    return flow.session, flow.conversation or flow.kind


def _judge(now: Seen, thread: Sequence[Seen]) -> Turn:
    flow = now.flow
    usage = flow.usage
    prompt = usage.input if usage is not None else None
    read, written = (usage.cache_read, usage.cache_write) if usage is not None else (None, None)
    if not thread:
        return _turn(flow, "first", model=now.model, prompt=prompt, read=read, written=written)
    before = max(enumerate(thread), key=lambda entry: (_shared_weight(entry[1], now), entry[0]))[1]
    same = prefix.common(before.prompt.blocks, now.prompt.blocks)
    if _begins_anew(before, now, same) and not any(seen.flow.kind == "compaction" for seen in thread):
        note = "another conversation of the session"
        return _turn(flow, "first", model=now.model, prompt=prompt, read=read, written=written, note=note)
    shared = min(now.tokens(same), prompt) if prompt is not None else now.tokens(same)
    turn = _turn(
        flow,
        "unknown",
        model=now.model,
        previous=before.flow.id,
        prompt=prompt,
        read=read,
        written=written,
        shared=shared,
    )
    if usage is None or prompt is None:
        return _with(turn, note="the answer reports no tokens")
    reusable = min(_left_by(before), prompt)
    turn = _with(turn, reusable=reusable)
    if read is None and not now.explicit:
        cause = edited(before, now, same) or switched(before, now)
        return _with(turn, cause=cause, note="the provider does not report what came from its cache")
    got = read or 0
    enough = max(_FEW, round(reusable * _SMALL_PART))
    if reusable and reusable - got <= enough:
        return _with(turn, verdict="hit")
    if not reusable:
        return _never_cached(turn, before, now, shared)
    cause = find_cause(before, now, same, shared, reusable, enough)
    return _lost(turn, now, cause, reusable - got)


def _begins_anew(before: Seen, now: Seen, same: int) -> bool:
    """Whether a request continues no message of another conversation than its own."""
    if before.flow.conversation == now.flow.conversation:
        return False
    return not any(block.section == "messages" for block in now.prompt.blocks[:same])


def _left_by(before: Seen) -> int:
    """The tokens that a request left in the cache, as far as the provider's rules say."""
    usage = before.flow.usage
    assert usage is not None
    reported = (usage.cache_read or 0) + (usage.cache_write or 0)
    if before.explicit:
        return reported
    least = cache_rules.minimum(before.flow.upstream_dialect or before.flow.dialect, before.model)
    length = usage.input or 0
    return max(reported, length // cache_rules.STEP * cache_rules.STEP if length >= least else 0)


def _never_cached(turn: Turn, before: Seen, now: Seen, shared: int) -> Turn:
    """The request before left nothing to be used."""
    dialect = now.flow.upstream_dialect or now.flow.dialect
    least = cache_rules.minimum(dialect, before.model)
    length = before.flow.usage.input if before.flow.usage is not None else None
    if (length or 0) < least:
        what = f"prompts of this model are cached from {least:,} tokens on, and the request before has {length or 0:,}"
        return _with(turn, verdict="miss", cause=Cause("too_short", "provider", what))
    if before.explicit and not before.prompt.marks:
        return _lost(
            turn, now, unmarked(before, "the request before has no cache_control, so nothing of it was kept"), shared
        )
    what = "the provider kept nothing of the request before"
    return _lost(turn, now, Cause("unexplained", "provider", what), shared)


def _shared_weight(before: Seen, now: Seen) -> float:
    return prefix.weight(now.prompt.blocks[: prefix.common(before.prompt.blocks, now.prompt.blocks)])


def _lost(turn: Turn, now: Seen, cause: Cause, lost: int) -> Turn:
    """A miss, with its price."""
    written = (turn.written or 0) * 2 >= lost
    price = None
    if now.rates is not None and turn.prompt is not None:
        hour = "1h" in now.prompt.ttls
        price = missed(now.rates, turn.prompt, lost, written=written, hour=hour)
    return _with(turn, verdict="miss", lost=lost, dollars=price, cause=cause)


def _turn(flow: Flow, verdict: Verdict, *, model: str = "", **facts: object) -> Turn:
    turn = Turn(flow.id, flow.started, flow.kind, flow.provider, model or flow.answer_model or flow.model, verdict)
    return _with(turn, **facts)


def _with(turn: Turn, **facts: object) -> Turn:
    return msgspec.structs.replace(turn, **facts)


def _sum(turns: Sequence[Turn]) -> Blame:
    causes: dict[str, tuple[int, int, float]] = {}
    for turn in turns:
        if turn.cause is not None:
            count, lost, dollars = causes.get(turn.cause.kind, (0, 0, 0.0))
            causes[turn.cause.kind] = (count + 1, lost + turn.lost, dollars + (turn.dollars or 0.0))
    return Blame(
        tuple(turns),
        prompt=sum(turn.prompt or 0 for turn in turns),
        read=sum(turn.read or 0 for turn in turns),
        lost=sum(turn.lost for turn in turns),
        dollars=sum(turn.dollars or 0.0 for turn in turns),
        unpriced=sum(turn.lost > 0 and turn.dollars is None for turn in turns),
        causes=dict(sorted(causes.items(), key=lambda entry: (-entry[1][1], entry[0]))),
    )
