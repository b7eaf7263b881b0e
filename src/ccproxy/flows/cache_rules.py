"""What providers say of their prompt caches: from which length on they cache, for how long, how they look. Pure data.

Sources, as read in November 2026: docs of Anthropic (Prompt caching: minimum lengths, times to live, the look-back of 20
blocks), OpenAI (Prompt caching: 1,024 tokens, steps of 128, 5 to 10 minutes, 24 hours if asked for), Google (Context
caching: minimum lengths of implicit caching; no time is promised).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ccproxy.flows.model import Flow
from ccproxy.flows.prefix import Prompt

#: Automatic caches keep whole steps of so many tokens.
STEP = 128
#: How many blocks before a breakpoint an earlier one is looked for.
LOOK_BACK = 20

#: Who serves the Messages API with a cache that has to be asked for by `cache_control`; others who speak it cache by
#: themselves.
_EXPLICIT = frozenset({"", "anthropic", "aws", "azure", "google", "openrouter"})
_MINIMA: Mapping[str, tuple[tuple[str, int], ...]] = {
    "anthropic": (
        (r"(?:opus|fable|mythos)-5", 512),
        (r"opus-4[-.]7", 2048),
        (r"(?:opus-4[-.][56]|haiku-4[-.]5)", 4096),
        (r"haiku-3|3[-.]5-haiku|3-haiku", 2048),
        (r"", 1024),
    ),
    "gemini": ((r"gemini-2\.5", 2048), (r"", 4096)),
}
_USUAL_MINIMUM = 1024
_SECONDS = {"5m": 300.0, "1h": 3600.0, "24h": 86_400.0}
#: Where nothing else is asked for. OpenAI and Google remove entries when it suits them, at the latest after an hour.
_TTL = {"anthropic": 300.0, "openai": 600.0, "openai_responses": 600.0, "gemini": 600.0}
_MODEL_IN_PATH = re.compile(r"/models/([^/:?]+)")
_SECTIONS: tuple[tuple[str, str], ...] = (
    ("body.system", "system"),
    ("body.instructions", "system"),
    ("body.systemInstruction", "system"),
    ("body.tools", "tools"),
    ("body.messages", "messages"),
    ("body.input", "messages"),
    ("body.contents", "messages"),
    ("body.request", "messages"),
    ("messages", "messages"),
)
_KEYS = frozenset({"x-api-key", "x-goog-api-key", "api-key"})


def explicit(dialect: str, payee: str) -> bool:
    """Whether a prompt is only cached where `cache_control` says so."""
    return dialect == "anthropic" and payee in _EXPLICIT


def minimum(dialect: str, model: str) -> int:
    """From how many tokens on prompts are cached."""
    for pattern, least in _MINIMA.get(dialect, ()):
        if re.search(pattern, model.lower()):
            return least
    return _USUAL_MINIMUM


def ttl(prompt: Prompt, dialect: str) -> float:
    """For how long what a request left in the cache stays there without being used, in seconds. Where its breakpoints ask
    for different times, the shortest: that is when the first tokens go."""
    asked = prompt.ttls or ({prompt.retention} if prompt.retention else set())
    return min((_SECONDS.get(word, _TTL["anthropic"]) for word in asked), default=_TTL.get(dialect, 600.0))


def within_reach(old: Sequence[int], new: Sequence[int], same: int) -> bool:
    """Whether a breakpoint of a request finds the last one of the request before.

    Args:
        old, new: the places of the breakpoints.
        same: how many blocks the two have in common.
    """
    reachable = [place for place in old if place < same]
    if not reachable:
        return True
    last = reachable[-1]
    return any(0 <= place - last <= LOOK_BACK for place in new)


def section_of(place: str) -> str:
    """The section of a prompt that a place in a body belongs to, in any dialect; "" for others."""
    return next(
        (section for start, section in _SECTIONS if place == start or place.startswith((f"{start}.", f"{start}["))), ""
    )


def model_in(target: str) -> str:
    """The model that a path names, or ""."""
    found = _MODEL_IN_PATH.search(target)
    return found[1] if found else ""


def key_end(flow: Flow) -> str:
    """The end of the key with which a request went out, as it is recorded; "" for a login, whose tokens are renewed now
    and then without its being another account."""
    for name, value in flow.forwarded.headers if flow.forwarded is not None else ():
        if name.lower() in _KEYS or (
            name.lower() == "authorization" and flow.credential and "_oauth" not in flow.credential
        ):
            return value
    return ""


def span(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h`."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"
