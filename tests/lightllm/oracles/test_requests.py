"""Every golden request, written for every other provider: accepted there, or refused by us with the part named."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Target

from ..kit import NAMES, REGISTRY, Case, cases
from ..test_cases import request_of
from .providers import accepts

#: A history with a result that no call asked for: forwarded as it is, unless `lightllm.repair` is on.
BROKEN = "gemini-request-history"


@pytest.mark.parametrize("upstream", NAMES)
@pytest.mark.parametrize("case", cases("request.json"), ids=lambda case: case.id)
def test_a_converted_request_is_accepted_or_refused_by_name(case: Case, upstream: str) -> None:
    if case.dialect.name == upstream:
        return
    target = Target(model="m", repair=case.id == BROKEN)
    try:
        encoded = REGISTRY.get(upstream).encode_request(request_of(case), target)
    except Untranslatable as problem:
        named = ("messages[", "system[", "refers to what only the provider", "candidates")
        assert any(word in problem.message for word in named)
        return
    accepts(upstream, json.loads(encoded.body))
    assert all(loss.reason for loss in encoded.losses)
