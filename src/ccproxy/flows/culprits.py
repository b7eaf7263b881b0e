"""Who keeps a request from being served from the cache: the requests of a conversation as the cache sees them, held
against each other in pairs. Pure.

Causes are looked for from what empties a cache (another provider, model, credential) over what shortens the match (an
edit) to what only lets it lapse (time, breakpoints). Whether an edit is the client's or ours is told by the client's own
two requests: if they agree up to there, it is ours.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from ccproxy.flows import cache_rules, coding, prefix
from ccproxy.flows.cost import rates_of
from ccproxy.flows.edits import BILLING, Edit, first_edit, text_of
from ccproxy.flows.model import Flow, RequestRecord
from ccproxy.flows.prefix import Prompt
from ccproxy.flows.prices import Rates

type Kind = Literal[
    "client", "hook", "conversion", "proxy", "model", "provider", "credential",
    "expired", "breakpoints", "too_short", "in_flight", "unexplained",
]  # fmt: skip

#: Where two places in different dialects count as the same, in tokens.
_NEAR = 64


class Cause(Struct, frozen=True):
    """Why a request got less from the cache than there was.

    Attributes:
        kind: `client` edited its prompt; a `hook`, the `conversion` or the `proxy` otherwise did; another `model`,
            `provider` or `credential`; the entry `expired`; `breakpoints` are missing or too far apart; the prompt is
            `too_short`; the request before had not begun to be answered (`in_flight`); nothing of all this
            (`unexplained`).
        who: who did it, by name: `client`, `hook set_date (outbound)`, `route: rule 2`, ...
        what: what happened, without a full stop.
        path: the place in the forwarded body (`body.messages.3.content.0`), or "".
        client_path: the place in the client's body if it is the client's doing, or "".
        part: what stands there: `system text`, `tool Read`, `user tool result`, or "".
        before, after: what stands around the difference in the two prompts.
    """

    kind: Kind
    who: str
    what: str
    path: str = ""
    client_path: str = ""
    part: str = ""
    before: str = ""
    after: str = ""


class Seen(NamedTuple):
    """What is kept of a request for those that follow."""

    flow: Flow
    prompt: Prompt
    client: Prompt | None
    model: str
    payee: str
    rates: Rates | None
    scale: float
    explicit: bool

    @property
    def begun(self) -> float:
        """When the answer began."""
        return self.flow.started + (self.flow.ttfb if self.flow.ttfb is not None else self.flow.duration)

    def tokens(self, blocks: int) -> int:
        """The tokens of so many blocks at the beginning."""
        return round(prefix.weight(self.prompt.blocks[:blocks]) * self.scale)


def see(flow: Flow) -> Seen | str:
    """What there is to know of a request; or why it cannot be known."""
    forwarded, request = flow.forwarded, flow.request
    assert forwarded is not None
    if flow.websocket is not None:
        return "a WebSocket: its provider keeps the conversation"
    if forwarded.truncated or request.truncated:
        return "only the beginning of the request is recorded"
    dialect = flow.upstream_dialect or flow.dialect
    prompt = prefix.read(_content(forwarded), dialect)
    if prompt is None or not prompt.blocks:
        return "the request cannot be read"
    if prompt.kept:
        return f"{prompt.kept}: the provider keeps the prompt's beginning"
    if not flow.upstream_dialect and forwarded.body == request.body:
        client: Prompt | None = prompt
    else:
        client = prefix.read(_content(request), flow.dialect)
        client = client.ordered(dialect) if client is not None else None
    rates, payee = rates_of(flow)
    if payee == "anthropic":
        stripped = _without_billing(prompt)
        client = stripped if client is prompt else _without_billing(client) if client is not None else None
        prompt = stripped
    used = flow.usage.input if flow.usage is not None else None
    weight = prefix.weight(prompt.blocks)
    model = prompt.model or cache_rules.model_in(forwarded.target) or flow.answer_model or flow.model
    explicit = cache_rules.explicit(dialect, payee)
    bare = _bare(flow)
    return Seen(bare, prompt, client, model, payee, rates, used / weight if used and weight else 1.0, explicit)


def _without_billing(prompt: Prompt) -> Prompt:
    """The prompt without the line that Anthropic takes out before it looks into its cache."""
    kept = tuple(
        block for block in prompt.blocks if block.section != "system" or not text_of(block).startswith(BILLING)
    )
    return prompt._replace(blocks=kept)


def _bare(flow: Flow) -> Flow:
    """The flow without its bodies: those of eight requests are not to be kept."""

    def head(record: RequestRecord) -> RequestRecord:
        return msgspec.structs.replace(record, body=b"")

    forwarded = head(flow.forwarded) if flow.forwarded is not None else None
    return msgspec.structs.replace(flow, request=head(flow.request), forwarded=forwarded, response=None, answer=None)


def _content(request: RequestRecord) -> bytes:
    decoded = coding.decode(request.body, request.header("content-encoding"))
    return request.body if decoded is None else decoded.data


def unmarked(seen: Seen, what: str) -> Cause:
    """Breakpoints are missing: the client's doing, or ours if it had set some, or could not."""
    flow = seen.flow
    if flow.upstream_dialect and not cache_rules.explicit(flow.dialect, ""):
        who = f"conversion from {flow.dialect} to {flow.upstream_dialect}"
        return Cause("breakpoints", who, f"{what}; the client's dialect has none, and none was added")
    if seen.client is None or not seen.client.marks:
        return Cause("breakpoints", "client", what)
    return Cause(
        "breakpoints", _our_doing(seen, seen, "messages", "body.messages")[1], f"{what}; the client had set it"
    )


def find_cause(before: Seen, now: Seen, same: int, shared: int, reusable: int, enough: int) -> Cause:
    """Why a request did not get what the one before had left.

    Args:
        same: how many blocks the two have in common, and `shared` how many tokens that is.
        reusable: the tokens that were left in the cache.
        enough: how many of them do not matter.
    """
    if (cause := switched(before, now)) is not None:
        return cause
    usage, gap = now.flow.usage, now.flow.started - before.begun
    ttl = cache_rules.ttl(before.prompt, before.flow.upstream_dialect or before.flow.dialect)
    broken = shared < reusable - enough and same < len(before.prompt.blocks)
    read = usage.cache_read if usage is not None else 0
    if gap > ttl and not (broken and read):
        what = f"the last use was {cache_rules.span(gap)} ago, and the entry lives for {cache_rules.span(ttl)}"
        return Cause("expired", "provider", what)
    if broken and (cause := edited(before, now, same)) is not None:
        return cause
    if now.explicit and not now.prompt.marks:
        return unmarked(now, "the request has no cache_control, so the cache was not looked into")
    if gap < 0:
        what = "it was sent before the answer to the request before began: only then its prompt can be used"
        return Cause("in_flight", "client", what)
    if now.explicit and not cache_rules.within_reach(before.prompt.marks, now.prompt.marks, same):
        far = cache_rules.LOOK_BACK
        what = f"no breakpoint stands within {far} blocks after the last one of the request before, and farther back is not looked"
        return Cause("breakpoints", "client", what)
    if (cause := edited(before, now, same)) is not None:
        return cause
    return Cause("unexplained", "provider", "the prompt's beginning is the same, and the provider did not find it")


def switched(before: Seen, now: Seen) -> Cause | None:
    """Another cache than before: each model of each provider has its own, and each account."""
    one, other = before.flow, now.flow
    old_host, new_host = (flow.forwarded.host if flow.forwarded is not None else "" for flow in (one, other))
    if (one.provider, old_host) != (other.provider, new_host):
        names = (one.provider or old_host, other.provider or new_host)
        if names[0] == names[1]:
            names = old_host, new_host
        return Cause("provider", _chosen_by(other), f"the provider changed from {names[0]} to {names[1]}")
    if before.model != now.model:
        asked = one.model != other.model
        hook = next(
            (f"hook {h.name} ({h.stage})" for f in (other, one) for h in f.hooks if "body.model" in h.changed), ""
        )
        who = hook or ("client" if asked else _chosen_by(other))
        return Cause("model", who, f"the model changed from {before.model} to {now.model}", path="body.model")
    if one.credential != other.credential:
        what = f"the credential changed from {one.credential or 'the client’s'} to {other.credential or 'the client’s'}"
        return Cause("credential", _chosen_by(other), what)
    keys = cache_rules.key_end(one), cache_rules.key_end(other)
    if all(keys) and keys[0] != keys[1]:
        who, whose = (_chosen_by(other), other.credential) if other.credential else ("client", "client")
        return Cause("credential", who, f"the key changed from {keys[0]} to {keys[1]} ({whose})")
    if before.prompt.cache_key != now.prompt.cache_key:
        what = f"prompt_cache_key changed from {before.prompt.cache_key or 'none'} to {now.prompt.cache_key or 'none'}"
        mine = before.client is not None and now.client is not None and before.client.cache_key == now.client.cache_key
        kind: Kind = "client"
        who = "client"
        if mine:
            kind, who = _our_doing(before, now, "settings", "body.prompt_cache_key")
        return Cause(kind, who, what, path="body.prompt_cache_key")
    return None


def _chosen_by(flow: Flow) -> str:
    tried = [step.provider for step in flow.story]
    if len(set(tried)) > 1 or any(step.then for step in flow.story):
        problem = next(
            (step.problem or f"status {step.status}" for step in flow.story if step.problem or step.status), ""
        )
        return f"fallback after {problem}" if problem else "fallback"
    return f"route: {flow.reason}" if flow.reason else "route"


def edited(before: Seen, now: Seen, same: int) -> Cause | None:
    """The edit that the prompts differ by, and whose it is."""
    edit = first_edit(before.prompt.blocks, now.prompt.blocks, same)
    if edit is None:
        return None
    block = edit.block
    theirs = _client_edit(before, now, edit, same)
    if theirs is not None:
        client = theirs.block
        return Cause(
            "client", "client", theirs.what, block.path, client.path, client.label, theirs.before, theirs.after
        )
    kind, who = _our_doing(before, now, block.section, block.path)
    return Cause(kind, who, edit.what, block.path, "", block.label, edit.before, edit.after)


def _client_edit(before: Seen, now: Seen, edit: Edit, same: int) -> Edit | None:
    """The client's own edit, if its two requests differ as early as ours."""
    if before.client is None or now.client is None:
        return None
    old, new = before.client.blocks, now.client.blocks
    place = prefix.common(old, new)
    found = first_edit(old, new, place)
    if found is None:
        return None
    if now.client is now.prompt and before.client is before.prompt:
        return found
    order = prefix.ORDER.get(now.flow.upstream_dialect or now.flow.dialect, ())
    ranks = [order.index(one.block.section) for one in (found, edit)]
    if ranks[0] != ranks[1]:
        return found if ranks[0] < ranks[1] else None
    section = edit.block.section
    client = prefix.weight([block for block in new[:place] if block.section == section])
    ours = prefix.weight([block for block in now.prompt.blocks[:same] if block.section == section])
    if now.flow.upstream_dialect:
        ours = ours * 1.1 + _NEAR
    return found if client <= ours or found.block.key == edit.block.key else None


def _our_doing(before: Seen, now: Seen, section: str, path: str) -> tuple[Kind, str]:
    """Which of us wrote this place: a hook, the conversion, or what else is done to requests."""
    for flow in (now.flow, before.flow):
        converted = bool(flow.upstream_dialect)
        for hook in flow.hooks:
            for place in hook.changed:
                if _overlap(place, path) or (converted and cache_rules.section_of(place) == section):
                    return "hook", f"hook {hook.name} ({hook.stage})"
    if now.flow.upstream_dialect:
        losses = [loss.path for loss in now.flow.losses if cache_rules.section_of(f"body.{loss.path}") == section]
        lost = f", which lost {', '.join(losses[:3])}" if losses else ""
        return "conversion", f"conversion from {now.flow.dialect} to {now.flow.upstream_dialect}{lost}"
    return "proxy", f"ccproxy ({now.flow.reason})" if now.flow.reason else "ccproxy"


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
