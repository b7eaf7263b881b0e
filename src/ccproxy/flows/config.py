"""Configuration of the flow store: the values of `flows`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class FlowsConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is recorded, where, and for how long."""

    enabled: Annotated[bool, Meta(description="Record exchanges at all.")] = True
    store: Annotated[
        str,
        Meta(
            description=(
                "A PostgreSQL database for the flows of several proxies, `postgresql://user@host/database`, in place of a "
                "file of their own. Needs `pip install 'ai-ccproxy[postgres]'`."
            ),
            extra={"format": "postgresql"},
        ),
    ] = ""
    path: Annotated[str, Meta(description="The SQLite file. Default: `flows.db` in the state directory.")] = ""
    default_jq_filters: Annotated[
        list[str], Meta(description="jq filters every `flows` command applies before its own `--jq`.")
    ] = []
    max_body_bytes: Annotated[
        int, Meta(ge=0, description="Most bytes kept of one body; the rest is counted, not stored.")
    ] = 16 * 1024 * 1024
    keep_days: Annotated[float, Meta(ge=0, description="Flows older than this go. 0 = no limit.")] = 14.0
    keep_flows: Annotated[int, Meta(ge=0, description="Most flows kept. 0 = no limit.")] = 50_000
    keep_bytes: Annotated[
        int, Meta(ge=0, description="Most bytes the store takes on disk; the oldest flows go first. 0 = no limit.")
    ] = 2 * 1024 * 1024 * 1024
