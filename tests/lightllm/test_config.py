"""The values of `lightllm`."""

from __future__ import annotations

import msgspec
import pytest

from ccproxy.lightllm.config import LightllmConfig


def test_defaults_and_limits() -> None:
    assert LightllmConfig().default_max_tokens == 8192
    for wrong in ({"default_max_tokens": 0}, {"stirct": True}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, LightllmConfig)
