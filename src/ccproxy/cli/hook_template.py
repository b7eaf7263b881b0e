"""What `ccproxy hooks new` writes: a hook that does nothing yet, and a test that holds."""

from __future__ import annotations

_HOOK = '''\
"""NAME: say here what it is for."""

from __future__ import annotations

import msgspec

from ccproxy.hooks import HookContext, hook


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the configuration may give: `- hook: ./hooks/NAME.py` with `params: {greeting: hello}`."""

    greeting: str = "hello"


@hook(
    # Places it reads and writes: body, body.a.b, request, model, headers, headers.x-name, route, session, state.Name,
    # answer. They decide the order of the hooks; the test fails it for touching anything else.
    reads=["model"],
    writes=["headers.x-greeting"],
    params=Params,
    # Further words: stage="inbound" or "outbound" (default: either), when=lambda ctx: ctx.dialect == "anthropic",
    # on_error="skip" (default: "fail" ends the request), blocking=True (waits without await: runs in a thread),
    # every=True (also for requests that ask no model).
)
def NAME(ctx: HookContext, params: Params) -> None:
    """Say here in one line what it does: `ccproxy hooks list` shows it."""
    ctx.headers["x-greeting"] = f"{params.greeting}, {ctx.model}"
    # ctx.body["metadata.user_id"] = "me"        the JSON body by path; changes those bytes only
    # ctx.request                                the same as a value that is alike for every dialect
    # ctx.send_to("my-provider", model="m")      where it goes (inbound)
    # ctx.refuse("not on a Sunday")              an error in the client's dialect
    # ctx.respond("an answer without a model")   an answer in the client's dialect
    # ctx.on_part(function)                      each text and tool call of the answer, as it is complete
    # ctx.note("a line for `ccproxy flows show`")
'''

_TEST = '''\
"""Run it with `python -m pytest test_NAME.py`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ccproxy.pipeline.loader import Loader
from ccproxy.testing import TrackingContext

HOOK = Loader(Path(__file__).parent).load("./NAME.py").hook
BODY = {"model": "a-model", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


def test_it_greets() -> None:
    ctx = TrackingContext(HOOK, BODY, dialect="anthropic", params={"greeting": "good morning"})

    asyncio.run(ctx.run())

    assert ctx.headers["x-greeting"] == "good morning, a-model"
    assert ctx.result.changed == ["headers.x-greeting"]
'''


def hook_source(name: str) -> str:
    """The module of a new hook."""
    return _HOOK.replace("NAME", name)


def test_source(name: str) -> str:
    """The module of its test."""
    return _TEST.replace("NAME", name)
