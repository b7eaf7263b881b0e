"""Two schemas that must both hold."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.schema_merge import merged


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ({"type": "string"}, {}, {"type": "string"}),
        ({"minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 5}, {"minimum": 3, "maximum": 5}),
        ({"description": "far"}, {"description": "near"}, {"description": "near"}),
        ({"required": ["a"]}, {"required": ["b", "a"]}, {"required": ["a", "b"]}),
        ({"enum": [1, 2]}, {"enum": [2, 3]}, {"enum": [2]}),
        ({"type": ["string", "null"]}, {"type": "string"}, {"type": "string"}),
        ({"type": "number"}, {"type": "integer"}, {"type": "integer"}),
        ({"type": "string"}, {"type": "object"}, {"type": "string"}),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"minLength": 1}, "b": {}}},
         {"properties": {"a": {"type": "string", "minLength": 1}, "b": {}}}),
        ({"items": {"type": "string"}}, {"items": {"minLength": 1}}, {"items": {"type": "string", "minLength": 1}}),
        ({"additionalProperties": {}}, {"additionalProperties": False}, {"additionalProperties": False}),
        ({"pattern": "a"}, {"pattern": "b"}, {"pattern": "a", "also": [{"pattern": "b"}]}),
    ],
)  # fmt: skip
def test_merging(first: Any, second: Any, both: Any) -> None:
    before = (dict(first), dict(second))
    assert merged(first, second) == both
    assert (first, second) == before
