from __future__ import annotations

from pathlib import Path

import pytest

from .toy import write_cases


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy's golden cases."""
    return write_cases(tmp_path_factory.mktemp("cases"))
