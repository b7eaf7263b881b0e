"""Every problem of single settings, with its line and path, and none that is not there."""

from __future__ import annotations

import pytest

from .support import below, load_text, problems

CASES = [
    ("prt: 4000", '2: ccproxy.prt: unknown key "prt"; did you mean "port"?'),
    ("Port: 4000", '2: ccproxy.Port: unknown key "Port"; did you mean "port"?'),
    ("transforms: []", '2: ccproxy.transforms: unknown key "transforms"; it belongs under ccproxy.inspector'),
    ("drain_seconds: 3", '2: ccproxy.drain_seconds: unknown key "drain_seconds"; it belongs under ccproxy.gateway'),
    ("gateway: {nonsense: 1}", '2: ccproxy.gateway.nonsense: unknown key "nonsense"'),
    ("port: 0", "2: ccproxy.port: expected a whole number from 1 to 65535, got 0"),
    ("port: 65536", "2: ccproxy.port: expected a whole number from 1 to 65535, got 65536"),
    ("port: 4000.0", "2: ccproxy.port: expected a whole number from 1 to 65535, got 4000.0"),
    ("port: '4000'", '2: ccproxy.port: expected a whole number from 1 to 65535, got "4000"'),
    ("port: 04000", '2: ccproxy.port: expected a whole number from 1 to 65535, got "04000"'),
    ("port: true", "2: ccproxy.port: expected a whole number from 1 to 65535, got true"),
    ("port:", "2: ccproxy.port: expected a whole number from 1 to 65535, got nothing; remove the line"),
    ("port: [1]", "2: ccproxy.port: expected a whole number from 1 to 65535, got a list"),
    ("port: {a: 1}", "2: ccproxy.port: expected a whole number from 1 to 65535, got a mapping"),
    ("host: 12", "2: ccproxy.host: expected text, got 12; put it in quotes"),
    ("host: true", "2: ccproxy.host: expected text, got true; put it in quotes"),
    ("host: ''", "2: ccproxy.host: name the address to bind"),
    ("log_level: info", '2: ccproxy.log_level: unknown value "info"; did you mean "INFO"?'),
    ("log_level: LOUD", '2: ccproxy.log_level: unknown value "LOUD"; one of: DEBUG, ERROR, INFO, WARNING'),
    ("log_level: 3", "2: ccproxy.log_level: expected DEBUG, ERROR, INFO or WARNING, got 3"),
    ("flows: {enabled: 'yes'}", '2: ccproxy.flows.enabled: expected true or false, got "yes"'),
    ("flows: {enabled: 1}", "2: ccproxy.flows.enabled: expected true or false, got 1"),
    ("flows: {keep_days: -0.5}", "2: ccproxy.flows.keep_days: expected a number of at least 0, got -0.5"),
    ("flows: {keep_days: .nan}", '2: ccproxy.flows.keep_days: expected a number of at least 0, got ".nan"'),
    ("flows: {keep_days: .inf}", "2: ccproxy.flows.keep_days: this number is too large, got inf"),
    ("flows: {keep_bytes: 99999999999999999999}", "2: ccproxy.flows.keep_bytes: this number is too large"),
    ("gateway: {header_seconds: 0}", "2: ccproxy.gateway.header_seconds: expected a number above 0, got 0"),
    ("gateway: [1]", "2: ccproxy.gateway: expected a mapping, got a list"),
    ("gateway: 3", "2: ccproxy.gateway: expected a mapping, got a number"),
    ("providers: text", "2: ccproxy.providers: expected a mapping, got text"),
    ("gateway: {allowed_hosts: a.b}", "2: ccproxy.gateway.allowed_hosts: expected a list, got text"),
    ("gateway: {allowed_hosts: [a, 'http://b']}", "2: ccproxy.gateway.allowed_hosts[1]: give the host name alone"),
    ("gateway: {allowed_origins: ['*']}", "2: ccproxy.gateway.allowed_origins[0]: origins are listed one by one"),
    ('flows: {path: "a\\0b"}', "2: ccproxy.flows.path: not valid UTF-8 text"),
    ("providers: {demo: {}}", '2: ccproxy.providers.demo: the key "type" is missing'),
    ("providers: {demo: }", "2: ccproxy.providers.demo: expected a mapping, got nothing"),
    ("providers: {Demo: {type: demo}}", "2: ccproxy.providers.Demo: a name is made of a-z, 0-9, _ and -"),
    ("providers: {a.b: {type: demo}}", "2: ccproxy.providers.a…: a name is made of a-z"),
    ("providers: {x: {type: demo, host: 'https://a'}}", "2: ccproxy.providers.x.host: a host has no scheme"),
    ("providers: {x: {type: demo, base_url: a.b}}", '2: ccproxy.providers.x.base_url: a URL begins with "http://"'),
    ("providers: {x: {type: demo, path: v1}}", '2: ccproxy.providers.x.path: a path begins with "/", got "v1"'),
    ("providers: {x: {type: demo, models: [1]}}", "2: ccproxy.providers.x.models[0]: expected text, got 1"),
    ("providers: {x: {type: demo, auth: [[a]]}}", "2: ccproxy.providers.x.auth[0]: expected a mapping or text"),
    (
        "providers: {x: {type: demo, auth: [a, {type: file}]}}",
        '2: ccproxy.providers.x.auth[1]: the key "file" is missing',
    ),
    (
        "providers: {x: {type: demo, auth: {command: c}}}",
        '2: ccproxy.providers.x.auth: the key "type" is missing; one of: command, file, anthropic_oauth',
    ),
    (
        "providers: {x: {type: demo, auth: {type: comand}}}",
        '2: ccproxy.providers.x.auth.type: unknown type "comand"; did you mean "command"?',
    ),
    (
        "providers: {x: {type: demo, auth: {type: [command]}}}",
        "2: ccproxy.providers.x.auth.type: unknown type a list; one of: ",
    ),
    (
        "providers: {x: {type: demo, auth: {type: file}}}",
        '2: ccproxy.providers.x.auth: the key "file" is missing',
    ),
    (
        "providers: {x: {type: demo, auth: {type: file, file: f, command: c}}}",
        '2: ccproxy.providers.x.auth.command: unknown key "command"',
    ),
    (
        "providers: {x: {type: demo, auth: {type: command, command: ''}}}",
        "2: ccproxy.providers.x.auth.command: expected text that is not empty",
    ),
    (
        "providers: {x: {type: demo, auth: {type: file, file: f, header: 'x y'}}}",
        '2: ccproxy.providers.x.auth.header: not a header name, got "x y"',
    ),
    ("hooks: [inject auth]", "2: ccproxy.hooks[0]: a hook is named by its dotted path, like ccproxy.hooks.inject_auth"),
    ("hooks: {inbound: [{hok: a.b}]}", '2: ccproxy.hooks.inbound[0].hok: unknown key "hok"; did you mean "hook"?'),
    ("hooks: {inbund: []}", '2: ccproxy.hooks.inbund: unknown key "inbund"; did you mean "inbound"?'),
    (
        "inspector: {transforms: [{action: passthrough, match_model: '('}]}",
        "2: ccproxy.inspector.transforms[0].match_model: not a regular expression: missing )",
    ),
    (
        "inspector: {transforms: {match_path: x}}",
        "2: ccproxy.inspector.transforms: expected a list, got a mapping",
    ),
    ("egress: {proxy: 'socks5://u:p@h:1'}", '2: ccproxy.egress.proxy: a proxy is given as "http://'),
    ("gateway: {client_keys: {a: short}}", "2: ccproxy.gateway.client_keys.a: shorter than 20 characters"),
    ("gateway: {client_keys: [x]}", "2: ccproxy.gateway.client_keys: expected a mapping, got a list"),
]


@pytest.mark.parametrize(("text", "line"), CASES, ids=[text for text, _ in CASES])
def test_a_problem_and_where(text: str, line: str) -> None:
    found = problems(below(text))

    assert found[0].startswith(f"FILE:{line}")
    # A missing key may be reported beside the one that was meant.
    assert len(found) == 1 or "is missing" in found[1]


GOOD = [
    "port: 1",
    "port: 0x1F40",
    "host: '::1'",
    "gateway:",
    "providers:",
    "hooks:",
    "hooks: []",
    "hooks: {inbound: , outbound: [a.b]}",
    "hooks: [ccproxy.hooks.inject_auth, {hook: a.b, params: {x: [1, {y: null}], z: 1.5}}]",
    "flows: {enabled: no, keep_days: 3, path: ''}",
    "flows: {enabled: Off}",
    "gateway: {drain_seconds: 0, default_upstreams: {openai: null, anthropic: 'http://localhost:1/x'}}",
    "gateway: {client_keys: {a laptop: Zk3x9QwLm2Pv8RtY5uBnH7}}",
    "providers: {x: {type: demo, auth: null}}",
    "providers: {x: {type: demo, auth: printenv KEY}}",
    "providers: {x: {type: demo, auth: {type: command, command: c, header: '', ttl_seconds: 1}}}",
    "providers: {x: {type: demo, host: '', base_url: ''}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_is_valid(text: str) -> None:
    load_text(below(text))


def test_values_arrive_as_they_are() -> None:
    settings = load_text(
        below("""
        port: 0x1F40
        hooks: [{hook: a.b, params: {x: [1, {y: null}], "2": true}}]
        flows: {enabled: no, keep_days: 3}
        providers:
          one: {type: demo, auth: {type: file, file: "~/k"}, models: ["4", m]}
        """)
    ).settings

    assert settings.port == 8000
    assert settings.flows.enabled is False
    assert settings.flows.keep_days == 3.0
    assert settings.providers["one"].models == ["4", "m"]
    assert isinstance(settings.hooks, list)
    assert settings.hooks[0].params == {"x": [1, {"y": None}], "2": True}  # type: ignore[union-attr]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        below("""
        prt: 1
        port: x
        providers:
          a:
            typ: demo
          b:
            type: demo
            verify: maybe
        inspector:
          transforms:
            - match_path: "("
            - acton: redirect
        gateway:
          max_headers: 1
        """)
    )

    assert [line.split(": ")[0] for line in found] == [f"FILE:{n}" for n in (2, 3, 6, 6, 9, 12, 13, 15)]


def test_from_the_environment_text_stays_text() -> None:
    settings = load_text(
        "",
        env={
            "CCPROXY_PROVIDERS__X__TYPE": "demo",
            "CCPROXY_PROVIDERS__X__AUTH": "[ -f key ] && cat key",
            "CCPROXY_PROVIDERS__X__MODELS": "[a, b]",
            "CCPROXY_FLOWS__PATH": "12",
            "CCPROXY_FLOWS__ENABLED": "off",
            "CCPROXY_EGRESS__CA_FILE": "",
            "CCPROXY_GATEWAY__CLIENT_KEYS__ME": "73910284650192837465019283",
            "CCPROXY_GATEWAY__DEFAULT_UPSTREAMS__OPENAI": "null",
            "CCPROXY_LOG_LEVEL": "DEBUG",
        },
    ).settings

    assert settings.providers["x"].auth == "[ -f key ] && cat key"
    assert settings.providers["x"].models == ["a", "b"]
    assert settings.flows.path == "12"
    assert settings.flows.enabled is False
    assert settings.egress.ca_file == ""
    assert settings.gateway.client_keys == {"me": "73910284650192837465019283"}
    assert settings.gateway.default_upstreams.openai is None


def test_a_whole_section_from_the_environment() -> None:
    settings = load_text("", env={"CCPROXY_PROVIDERS": "{x: {type: demo, auth: {type: file, file: f}}}"}).settings

    assert settings.providers["x"].type == "demo"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("CCPROXY_PROT", "1", 'CCPROXY_PROT (environment): ccproxy.prot: unknown key "prot"; did you mean "port"?'),
        ("CCPROXY_PORT", "x", "CCPROXY_PORT (environment): ccproxy.port: expected a whole number"),
        ("CCPROXY_PORT", "", "CCPROXY_PORT (environment): ccproxy.port: expected a whole number"),
        ("CCPROXY_FLOWS__PATH", "\udc80", "CCPROXY_FLOWS__PATH (environment): ccproxy.flows.path: not valid UTF-8"),
        ("CCPROXY_FLOWS__KEEP_DAY", "1", 'unknown key "keep_day"; did you mean "keep_days"?'),
        ("CCPROXY_PROVIDERS__X__AUTH__KEY", "1", 'ccproxy.providers.x: the key "type" is missing'),
    ],
)
def test_problems_of_variables_name_the_variable(name: str, value: str, line: str) -> None:
    assert any(line in found for found in problems("", env={name: value}))


def test_problems_of_flags_name_the_flag() -> None:
    assert problems("", overrides={"port": 0}) == [
        "--port: ccproxy.port: expected a whole number from 1 to 65535, got 0"
    ]


CANARY = "CaNaRy7391028465"
SECRET_PLACES = [
    f"gateway: {{client_keys: {{a: {CANARY}}}}}",
    f"gateway: {{client_keys: {{a: [{CANARY}]}}}}",
    f"gateway: {{client_keys: [{CANARY}]}}",
    f"gateway: {{client_keys: {CANARY}}}",
    f"gateway: {{client_keys: {{{CANARY}abcdefghijklmnop: a}}}}",
    f"providers: {{x: {{type: nope, auth: '{CANARY}'}}}}",
    f"providers: {{x: {{type: nope, auth: ['{CANARY}']}}}}",
    f"providers: {{x: {{type: nope, auth: {{type: command, command: ['{CANARY}']}}}}}}",
    f"providers: {{x: {{type: nope, auth: {{type: command, command: {{a: '{CANARY}'}}}}}}}}",
    f"providers: {{x: {{type: nope, auth: {{type: command, comand: '{CANARY}'}}}}}}",
    f"providers: {{x: {{type: nope, auth: {{type: google_oauth, client_secret: ['{CANARY}']}}}}}}",
    f"providers: {{x: {{type: nope, auth: {{type: command {CANARY}}}}}}}",
    f"providers: {{x: {{type: nope, auth: {{command {CANARY}}}}}}}",
    f"providers: {{x: {{type: nope, base_url: 'https://me:{CANARY}@host'}}}}",
    f"providers: {{x: {{type: nope, base_url: 'https://me:{CANARY}/@host'}}}}",
    f"providers: {{x: {{type: nope, base_url: 'htps://host/?key={CANARY}'}}}}",
    f"providers: {{x: {{type: nope, host: 'me:{CANARY}@host'}}}}",
    f"providers: {{x: {{type: nope, auth: &a {CANARY}, path: *{CANARY}}}}}",
    f"providers: {{x: {{type: nope, auth: !{CANARY} x}}}}",
    f"egress: {{proxy: 'https://me:{CANARY}@host:1'}}",
    f"egress: {{proxy: 'http://me:{CANARY}/@host:1'}}",
    f"gateway: {{default_upstreams: {{openai: 'https://{CANARY}@host'}}}}",
    f"client_keys: {{a: {CANARY}}}",
    f"providers: {{x: auth {CANARY}}}",
]


@pytest.mark.parametrize("text", SECRET_PLACES)
def test_no_secret_is_in_a_message(text: str) -> None:
    found = problems(below(text))

    assert found
    assert CANARY not in "\n".join(found)


def test_no_secret_of_the_environment_is_in_a_message() -> None:
    for name in ("PROVIDERS__X__AUTH__COMMAND", "GATEWAY__CLIENT_KEYS", "GATEWAY__CLIENT_KEYS__A", "PROVIDERS", "NOPE"):
        found = problems("", env={f"CCPROXY_{name}": f"[{CANARY}]"})

        assert found
        assert CANARY not in "\n".join(found)
