"""Where ccproxy keeps its files, after the XDG base directory rules."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG_NAME = "ccproxy.yaml"


def _base(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # XDG: a relative path in these variables is to be ignored.
    return Path(value) if value.startswith("/") else Path.home() / default


def config_dir() -> Path:
    """`$CCPROXY_CONFIG_DIR`, else `$XDG_CONFIG_HOME/ccproxy`, else `~/.config/ccproxy`."""
    explicit = os.environ.get("CCPROXY_CONFIG_DIR", "")
    if explicit:
        return Path(explicit).expanduser().absolute()
    return _base("XDG_CONFIG_HOME", ".config") / "ccproxy"


def state_dir() -> Path:
    """Where logs, the flow store and the run file go: `state/` in `$CCPROXY_CONFIG_DIR` if that is set (so that
    two instances never share a file), else `$XDG_STATE_HOME/ccproxy`, else `~/.local/state/ccproxy`."""
    explicit = os.environ.get("CCPROXY_CONFIG_DIR", "")
    if explicit:
        return Path(explicit).expanduser().absolute() / "state"
    return _base("XDG_STATE_HOME", ".local/state") / "ccproxy"
