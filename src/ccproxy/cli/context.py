"""What every command gets as `ctx.obj`: how to find the configuration. Loads nothing by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccproxy.config.load import LoadedConfig


@dataclass(frozen=True, slots=True)
class CliContext:
    """The global options of one invocation.

    `config_path` is the value of `--config`, or None for the default place.
    """

    config_path: Path | None = None

    def load(self, overrides: Mapping[str, object] | None = None) -> LoadedConfig:
        """Loads the configuration from its file and the environment.

        Args:
            overrides: settings given on the command line, by dotted path; they win over both.

        Raises ConfigError.
        """
        # Imported here: YAML and msgspec are not needed for `--help`.
        from ccproxy.config.load import load

        return load(self.config_path, env=os.environ, overrides=overrides or {})
