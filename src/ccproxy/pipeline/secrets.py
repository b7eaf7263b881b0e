"""Secrets in a JSON body, by their shapes: found, told where, and replaced without touching another byte.

Strategy: one search over the bytes tells whether there can be any. Where there can, the body is cut up along the way to
each text that has one, and only those texts are written anew. Shapes are those that providers document for their keys;
a word that merely looks random is none.

Contract: the same text gives the same result, whatever stands around it. Texts that a provider has signed or sealed,
identifiers and media are left as they are.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.jsontext import JsonError, dumps, loads
from ccproxy.pipeline.splice import JsonList

type Kind = Literal[
    "aws_key",
    "aws_secret",
    "github_token",
    "gitlab_token",
    "private_key",
    "jwt",
    "api_key",
    "google_key",
    "slack_token",
    "stripe_key",
    "npm_token",
]


class Finding(NamedTuple):
    """A secret that was found: what it is, and the path of the text it stands in."""

    kind: Kind
    path: str


#: Where a secret may begin, in the bytes of JSON, or an escape that may hide the beginning.
_HINT = re.compile(
    rb"AKIA|ASIA|(?i:aws)|gh[pousr]_|github_pat_|glpat-|-----BEGIN|eyJ|sk-|[sr]k_(?:live|test)_|AIza|GOCSPX-"
    rb"|xox[abeoprs]-|npm_|hf_|gsk_|xai-|pplx-|\\u00[2-7]"
)
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    (
        "private_key",
        r"-----BEGIN (?P<label>(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END (?P=label)-----|\Z)",
    ),
    ("aws_key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (
        "aws_secret",
        r"(?i:aws[\w.-]{0,20}?(?:secret|access)[\w-]{0,20}?key[\w-]{0,10})\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?"
        r"(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    ("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b"),
    ("gitlab_token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ("google_key", r"\b(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28})(?![A-Za-z0-9_-])"),
    ("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("stripe_key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}\b"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    # OpenAI, Anthropic, OpenRouter, DeepSeek; Hugging Face, Groq, xAI, Perplexity. A sentinel key is no secret.
    (
        "api_key",
        r"\b(?:sk-(?!ant-oat-ccproxy-)(?=[A-Za-z0-9_-]*\d)(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{20,}"
        r"|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|(?:xai|pplx)-[A-Za-z0-9]{40,})(?![A-Za-z0-9_-])",
    ),
)
_SHAPES = tuple((kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _PATTERNS)
#: Objects whose texts a provider has signed or sealed: by their type, and by a field they have.
_SIGNED_TYPES = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning.encrypted", "compaction"})
_SIGNED_FIELDS = ("signature", "thoughtSignature", "thought_signature", "encrypted_content")
#: Fields that hold no text of the conversation, or thinking in dialects that have a field for it.
_PASSED_OVER = frozenset(
    [
        *("id", "call_id", "tool_use_id", "tool_call_id", "item_id", "model", "role", "type"),
        *("metadata", "client_metadata", "prompt_cache_key", "previous_response_id", "user", "safety_identifier"),
        *("inlineData", "inline_data", "input_audio", "image_url", "file_data", "audio"),
        *("reasoning_content", "reasoning_details", "reasoning_opaque", "thinking_blocks"),
    ]
)


def find(text: str, ignore: frozenset[Kind] = frozenset()) -> list[tuple[Kind, int, int]]:
    """The secrets in a text: kind, begin and end of each, in order and without overlaps."""
    found: list[tuple[Kind, int, int]] = []
    for kind, shape in _SHAPES:
        if kind in ignore:
            continue
        for match in shape.finditer(text):
            begin, end = match.span("value") if "value" in shape.groupindex else match.span()
            if not any(begin < other_end and other_begin < end for _, other_begin, other_end in found):
                found.append((kind, begin, end))
    return sorted(found, key=lambda one: one[1])


def mask(body: bytes, ignore: frozenset[Kind] = frozenset()) -> tuple[bytes, list[Finding]]:
    """A JSON body with `[redacted:KIND]` in place of each secret, and what was found. The very body given, if nothing
    was.

    Args:
        body: a JSON object.
        ignore: kinds that are let through.

    Raises BadRequest where the body is not JSON after all.
    """
    findings: list[Finding] = []
    return _value(body, "", ignore, findings), findings


def _value(raw: bytes, path: str, ignore: frozenset[Kind], findings: list[Finding]) -> bytes:
    """One value, with its secrets masked; `findings` are added to."""
    if _HINT.search(raw) is None:
        return raw
    first = raw.lstrip()[:1]
    count = len(findings)
    if first == b'"':
        return _text(raw, path, ignore, findings)
    if first == b"[":
        items = JsonList(raw)
        for position, item in enumerate(items.items):
            items.items[position] = _value(item, f"{path}.{position}" if path else str(position), ignore, findings)
        return items.raw if len(findings) > count else raw
    if first == b"{":
        body = JsonBody(raw)
        if _is_signed(body):
            return raw
        media = body.get_raw("type") == b'"base64"'
        for name in dict.fromkeys(body):
            old = None if name in _PASSED_OVER or (media and name == "data") else body.get_raw(name)
            if old is None:
                continue
            new = _value(old, f"{path}.{name}" if path else name, ignore, findings)
            if new is not old:
                body.set_raw(name, new)
        return body.raw if len(findings) > count else raw
    return raw


def _text(raw: bytes, path: str, ignore: frozenset[Kind], findings: list[Finding]) -> bytes:
    try:
        text = loads(raw)
    except JsonError:
        return raw
    if text.startswith("data:") and ";base64," in text[:100]:
        return raw
    found = find(text, ignore)
    if not found:
        return raw
    pieces: list[str] = []
    at = 0
    for kind, begin, end in found:
        findings.append(Finding(kind, path))
        pieces += (text[at:begin], f"[redacted:{kind}]")
        at = end
    pieces.append(text[at:])
    return dumps("".join(pieces))


def _is_signed(body: JsonBody) -> bool:
    kind = body.get_raw("type")
    if kind is not None and kind.strip(b'"').decode("utf-8", "replace") in _SIGNED_TYPES:
        return True
    return any(body.get_raw(name) not in (None, b"null", b'""') for name in _SIGNED_FIELDS)
