"""Loading configurations from text."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from ccproxy.config.load import LoadedConfig, load
from ccproxy.errors import ConfigError


def load_text(
    text: str | bytes, *, env: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> LoadedConfig:
    """The configuration of a file with this content."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ccproxy.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            return load(path, env=env or {}, overrides=overrides)
        except ConfigError as error:
            # For the tests the file has a fixed name.
            raise ConfigError(error.message.replace(str(path), "FILE"), hint=error.hint) from None


def problems(
    text: str | bytes = "", *, env: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> list[str]:
    """The problems of a file with this content, which is called FILE; empty if there are none."""
    try:
        load_text(text, env=env, overrides=overrides)
    except ConfigError as error:
        assert error.hint == ""
        return error.message.split("\n")
    return []


def below(text: str) -> str:
    """`text` as what stands below `ccproxy:`, whose first line is then line 2."""
    lines = text.strip("\n").split("\n")
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(["ccproxy:", *(f"  {line[margin:]}" for line in lines)]) + "\n"
