"""Rules between settings, and warnings."""

from __future__ import annotations

import pytest

from .support import below, load_text, problems

KEY = "Zk3x9QwLm2Pv8RtY5uBnH7"

CASES = [
    (
        "providers: {x: {type: antropic, host: a.b}}",
        '2: ccproxy.providers.x.type: unknown provider type "antropic"; did you mean "anthropic"?',
    ),
    (
        "providers: {x: {type: anthropic, host: a.b, base_url: 'https://a.b'}}",
        "2: ccproxy.providers.x.base_url: host is given too; keep one of the two",
    ),
    ("providers: {x: {type: vertex_ai}}", "2: ccproxy.providers.x.host: provider type 'vertex_ai' needs a host"),
    ("providers: {x: {type: vertex_ai, host: a.b}}", "2: ccproxy.providers.x.path: provider type 'vertex_ai' needs a"),
    (
        "providers: {x: {type: demo}}\ninspector:\n  transforms:\n    - {match_path: a, dest_provider: y}",
        '5: ccproxy.inspector.transforms[0].dest_provider: no provider "y"; one of: x',
    ),
    (
        "providers: {deepseek: {type: demo}}\ninspector:\n  transforms:\n    - {dest_provider: deepsek}",
        '5: ccproxy.inspector.transforms[0].dest_provider: no provider "deepsek"; did you mean "deepseek"?',
    ),
    (
        "inspector:\n  transforms:\n    - {action: transform}",
        "4: ccproxy.inspector.transforms[0].dest_provider: the rule needs a provider to send to",
    ),
    (
        "inspector:\n  transforms:\n    - action: passthrough\n      dest_provider: z",
        '5: ccproxy.inspector.transforms[0].dest_provider: no provider "z"',
    ),
    (
        "providers: {x: {type: demo, fallback: [z]}, y: {type: demo}}",
        '2: ccproxy.providers.x.fallback[0]: no provider "z"; one of: y',
    ),
    (
        "providers: {x: {type: demo, fallback: [why/model-1]}, why2: {type: demo}}",
        '2: ccproxy.providers.x.fallback[0]: no provider "why"; did you mean "why2"?',
    ),
    (
        "providers: {x: {type: demo, fallback: [x/other]}}",
        "2: ccproxy.providers.x.fallback[0]: the provider itself; to try it again, use retry",
    ),
    ("providers: {x: {type: demo, auth: []}}", "2: ccproxy.providers.x.auth: an empty list; name a credential"),
    ("host: 0.0.0.0", '2: ccproxy.host: "0.0.0.0" can be reached from other machines, and no gateway.client_keys'),
    ("host: '::'\ngateway: {client_keys: {}}", '2: ccproxy.host: "::" can be reached from other machines'),
    ("host: my-box", '2: ccproxy.host: "my-box" can be reached from other machines'),
    (
        f"gateway:\n  client_keys:\n    a: {KEY}\n    b: {KEY}",
        '5: ccproxy.gateway.client_keys.b: the same key as that of "a"; give each client its own',
    ),
]


@pytest.mark.parametrize(("text", "line"), CASES, ids=[text for text, _ in CASES])
def test_a_problem_and_where(text: str, line: str) -> None:
    found = problems(below(text))

    assert len(found) == 1
    assert found[0].startswith(f"FILE:{line}")


@pytest.mark.parametrize(
    "text",
    [
        f"host: 0.0.0.0\ngateway: {{client_keys: {{a: {KEY}}}}}",
        "host: 127.0.0.2",
        "host: localhost",
        "inspector: {transforms: [{action: passthrough}]}",
        "providers: {x: {type: demo}}\ninspector: {transforms: [{dest_provider: x}]}",
        "providers: {x: {type: vertex_ai, host: a.b, path: '/v1/models/{model}:{action}'}}",
        "providers: {x: {type: openai, base_url: 'http://localhost:8000/v1'}}",
        "providers: {x: {type: anthropic, host: '', base_url: 'https://a.b'}}",
    ],
)
def test_what_is_valid(text: str) -> None:
    load_text(below(text))


def test_one_mistake_is_one_problem() -> None:
    # A weak key does not also count as no key, a bad host not as none, a provider with a typo not as missing.
    assert len(problems(below("host: 0.0.0.0\ngateway: {client_keys: {a: short}}"))) == 1
    assert len(problems(below("providers: {x: {type: vertex_ai, host: 'a b', path: /x}}"))) == 1
    rule = "\ninspector: {transforms: [{dest_provider: x}]}"
    assert len(problems(below("providers: {x: {type: dmo}}" + rule))) == 1
    assert len(problems(below("providers: {x: {typo: demo, type: demo}}" + rule))) == 1


def test_a_rule_keeps_its_number_beside_a_broken_one() -> None:
    found = problems(below("inspector:\n  transforms:\n    - 3\n    - {dest_provider: nope}"))

    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "ccproxy.inspector.transforms[0]",
        "ccproxy.inspector.transforms[1].dest_provider",
    ]


def test_a_rule_may_name_a_provider_of_the_environment() -> None:
    text = below("inspector: {transforms: [{dest_provider: x}]}")

    assert load_text(text, env={"CCPROXY_PROVIDERS__X__TYPE": "demo"}).settings.providers["x"].type == "demo"


def test_a_variable_that_opens_the_listener_is_the_place() -> None:
    found = problems("ccproxy: {port: 1}", env={"CCPROXY_HOST": "0.0.0.0"})

    assert found[0].startswith('CCPROXY_HOST (environment): ccproxy.host: "0.0.0.0" can be reached')


class TestWarnings:
    def warnings(self, text: str) -> list[str]:
        return [line.partition("ccproxy.yaml")[2] for line in load_text(below(text)).warnings]

    def test_none_for_an_ordinary_configuration(self) -> None:
        assert self.warnings("providers: {x: {type: demo, auth: c}}\nhooks: [ccproxy.hooks.inject_auth]") == []

    @pytest.mark.parametrize("kind", ["anthropic_oauth", "google_oauth", "codex_oauth"])
    def test_logins_are_nothing_to_warn_of(self, kind: str) -> None:
        assert self.warnings(f"providers:\n  x:\n    type: demo\n    auth: {{type: {kind}}}") == []

    def test_a_google_login_at_the_public_api(self) -> None:
        text = "providers:\n  x:\n    type: {}\n    auth: {{type: google_oauth}}"

        assert self.warnings(text.format("code_assist")) == []
        [found] = self.warnings(text.format("gemini"))
        assert found.startswith(":5: ccproxy.providers.x.auth: ") and "use type: code_assist" in found

    def test_certificates_that_are_not_verified(self) -> None:
        found = self.warnings("providers:\n  x:\n    type: demo\n    verify: false")

        assert found == [
            ":5: ccproxy.providers.x.verify: TLS certificates are not verified: anyone on the way can read the credential"
        ]
