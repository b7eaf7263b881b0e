"""Secrets are found by their shape, replaced without touching another byte, and left where they must be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.jsontext import loads
from ccproxy.pipeline.secrets import Kind, find, mask

#: Made up, put together here so that no scanner takes this file for a leak.
SECRETS: dict[Kind, str] = {
    "aws_key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github_token": "ghp_" + "a1B2" * 9,
    "gitlab_token": "glpat-" + "x1-Y" * 5,
    "jwt": "eyJ" + "hbGciOiJIUzI1" + ".eyJ" + "zdWIiOiIxMjM0" + "." + "SflKxwRJSMeKKF2QT4",
    "google_key": "AIza" + "Sy0" + "aB3_" * 8,
    "slack_token": "xoxb-" + "123456789012-abcdef",
    "stripe_key": "sk_live_" + "4eC39HqLyjWDarjtT1",
    "npm_token": "npm_" + "aB3d" * 9,
    "api_key": "sk-ant-api03-" + "aB3dE5" * 6,
    "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXktdjEA\n-----END OPENSSH PRIVATE KEY-----",
}
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("kind", SECRETS)
def test_each_shape_is_found_in_its_text(kind: Kind) -> None:
    text = f"before {SECRETS[kind]} after"
    assert [(one, text[begin:end]) for one, begin, end in find(text)] == [(kind, SECRETS[kind])]
    assert find(text, frozenset({kind})) == []


@pytest.mark.parametrize(
    "line", ["aws_secret_access_key = {}", "AWS_SECRET_ACCESS_KEY={}", '"AwsSecretAccessKey": "{}"']
)
def test_a_secret_without_a_shape_is_found_by_its_name(line: str) -> None:
    text = line.format(AWS_SECRET)
    assert [(kind, text[begin:end]) for kind, begin, end in find(text)] == [("aws_secret", AWS_SECRET)]


@pytest.mark.parametrize(
    "text",
    [
        "sk-ant-oat-ccproxy-anthropic",
        "sk-",
        "sk-this-is-a-css-class-name-without-figures",
        "AKIA is how they begin",
        "eyJ.eyJ.x",
        "ghp_short",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "the sha1 is da39a3ee5e6b4b0d3255bfef95601890afd80709",
        AWS_SECRET,
    ],
)
def test_what_is_none(text: str) -> None:
    assert find(text) == []


def test_only_the_texts_with_secrets_change() -> None:
    secret = SECRETS["aws_key"]
    raw = (
        '{ "model":"m" ,\n "system": "be\\u0020kind" , "messages":[ {"role":"user", "content":"key: AWS!" } ,'
        ' {"role":"assistant","content":[{"type":"tool_use","id":"t","input":{"cmd":"echo AWS NPM"}}]}], "x":1.0e0}'
    )
    raw = raw.replace("AWS", secret).replace("NPM", SECRETS["npm_token"])
    masked, findings = mask(raw.encode())
    assert masked.decode() == raw.replace(secret, "[redacted:aws_key]").replace(
        SECRETS["npm_token"], "[redacted:npm_token]"
    )
    assert findings == [
        ("aws_key", "messages.0.content"),
        ("aws_key", "messages.1.content.0.input.cmd"),
        ("npm_token", "messages.1.content.0.input.cmd"),
    ]


def test_a_body_without_any_is_the_very_object() -> None:
    raw = json.dumps({"messages": [{"content": "sk- AKIA eyJ nothing"}]}).encode()
    assert mask(raw)[0] is raw


def test_escapes_hide_nothing() -> None:
    secret = SECRETS["aws_key"]
    hidden = "".join(f"\\u{ord(letter):04x}" for letter in secret)
    masked, findings = mask(f'{{"content":"{hidden}"}}'.encode())
    assert masked == b'{"content":"[redacted:aws_key]"}'
    assert len(findings) == 1


def test_a_key_over_several_lines() -> None:
    raw = json.dumps({"content": f"a\n{SECRETS['private_key']}\nb"}).encode()
    assert loads(mask(raw)[0]) == {"content": "a\n[redacted:private_key]\nb"}


def test_a_key_inside_the_arguments_of_a_call() -> None:
    inner = json.dumps({"text": SECRETS["private_key"], "key": SECRETS["api_key"]})
    masked = loads(mask(json.dumps({"arguments": inner}).encode())[0])
    assert loads(masked["arguments"]) == {"text": "[redacted:private_key]", "key": "[redacted:api_key]"}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "thinking", "thinking": "SECRET", "signature": "s"},
        {"type": "redacted_thinking", "data": "SECRET"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "SECRET"}]},
        {"text": "SECRET", "thought": True, "thoughtSignature": "s"},
        {"functionCall": {"name": "f", "args": {"a": "SECRET"}}, "thoughtSignature": "s"},
        {"role": "assistant", "reasoning_content": "SECRET"},
        {"type": "base64", "media_type": "image/png", "data": "SECRET"},
        {"inlineData": {"data": "SECRET"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,SECRET"}},
        {"text": "data:text/plain;base64,SECRET"},
        {"type": "tool_result", "tool_use_id": "SECRET"},
        {"metadata": {"user_id": "SECRET"}},
    ],
)
def test_what_is_signed_or_no_text_is_left_alone(value: object) -> None:
    raw = json.dumps({"messages": [value, {"content": "and"}]}).replace("SECRET", SECRETS["aws_key"]).encode()
    assert mask(raw) == (raw, [])


def test_a_signature_that_is_none_protects_nothing() -> None:
    raw = json.dumps({"text": SECRETS["aws_key"], "signature": None}).encode()
    assert len(mask(raw)[1]) == 1


@given(st.lists(st.sampled_from([*SECRETS.values(), "plain", "ünï", "\\", '"']), max_size=6), st.integers(0, 5))
def test_a_conversation_that_grows_keeps_its_beginning(texts: list[str], cut: int) -> None:
    """What a prompt cache needs: the masked request begins as the masked one before it did."""

    def masked(count: int) -> list[object]:
        messages = [{"role": "user", "content": text} for text in texts[:count]]
        made: list[object] = loads(mask(json.dumps({"messages": messages}).encode())[0])["messages"]
        return made

    whole = masked(len(texts))
    assert masked(cut) == whole[:cut]
    assert not any(secret in json.dumps(whole) for secret in SECRETS.values() if secret in texts)
