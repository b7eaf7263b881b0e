"""`redact_secrets`: finds keys and passwords in what goes to the provider, and reports, masks or stops them.

    - hook: ccproxy.hooks.redact_secrets
      params: {mode: mask}

Looked at are the texts of the request: instructions, messages, tool calls and results, tools. Not looked at are
identifiers, media, and thinking that a provider has signed, as that must come back as it went. The same secret is always
masked alike, so that a conversation keeps its cached prefix. No request can switch this hook off.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from ccproxy.hooks import HookContext, hook
from ccproxy.pipeline.secrets import Kind, mask


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Parameters.

    Attributes:
        mode: `audit` only tells (in the log and with the flow), `mask` puts `[redacted:KIND]` in the place of a secret,
            `block` refuses the request.
        ignore: kinds that are let through.
    """

    mode: Literal["audit", "mask", "block"] = "mask"
    ignore: list[Kind] = []


@hook(
    stage="outbound",
    reads=["body"],
    writes=lambda params: ["body"] if params.mode == "mask" else [],
    params=Params,
    every=True,
    locked=True,
    when=lambda ctx: ctx.body.is_json,
)
def redact_secrets(ctx: HookContext, params: Params) -> None:
    """Finds keys and passwords in what goes to the provider: reports, masks or stops them."""
    masked, findings = mask(ctx.body.raw, frozenset(params.ignore))
    if not findings:
        return
    counts = Counter(finding.kind for finding in findings)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    first = findings[0]
    if params.mode == "block":
        ctx.refuse(
            f"the request holds secrets ({told}), the first a {first.kind} at {first.path}; take it out of the "
            "conversation",
            status=400,
        )
    if params.mode == "mask":
        ctx.body.replace(masked, changed=[finding.path for finding in findings])
    ctx.note(f"{'masked' if params.mode == 'mask' else 'found'} {told}, the first at {first.path}")
    ctx.log.info("%s in what goes to the provider: %s", "masked" if params.mode == "mask" else "found", told)
