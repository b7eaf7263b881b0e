"""What each client is started with: base URLs for all, keys for those who have none, nothing of the user's replaced."""

import json
from pathlib import Path
from typing import ClassVar

import pytest

from ccproxy.cli import clients
from ccproxy.cli.clients import Launch, Offer
from ccproxy.errors import CommandError

BASE = "http://127.0.0.1:4000"
OFFERS = [
    Offer("demo", ()),
    Offer("anthropic", ("anthropic",)),
    Offer("deepseek", ("anthropic",)),
    Offer("codex", ("openai_responses",)),
    Offer("openai", ("openai", "openai_responses")),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def save(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def prepare(
    command: str, home: Path, offers: list[Offer] | None = None, forced: str | None = None, **env: str
) -> Launch:
    return clients.prepare(
        command.split(),
        {"HOME": str(home), **env},
        base_url=BASE,
        offers=OFFERS if offers is None else offers,
        forced=forced,
    )


def keys(launch: Launch) -> dict[str, str]:
    """The sentinel keys in the environment, without their prefix."""
    return {
        name: value.removeprefix(clients.SENTINEL)
        for name, value in launch.environment.items()
        if value.startswith(clients.SENTINEL)
    }


class TestBaseUrls:
    def test_every_command_gets_them_whatever_was_there(self, home: Path) -> None:
        launch = prepare("python app.py", home, OPENAI_BASE_URL="https://elsewhere.example/v1", OTHER="stays")
        assert launch.words == ["python", "app.py"]
        assert {name: value for name, value in launch.environment.items() if BASE in value} == {
            "ANTHROPIC_BASE_URL": BASE,
            "ANTHROPIC_API_BASE": BASE,
            "OPENAI_BASE_URL": f"{BASE}/v1",
            "OPENAI_API_BASE": f"{BASE}/v1",
            "GOOGLE_GEMINI_BASE_URL": BASE,
            "GOOGLE_VERTEX_BASE_URL": BASE,
            "CODE_ASSIST_ENDPOINT": BASE,
        }
        assert launch.environment["OTHER"] == "stays"

    @pytest.mark.parametrize(
        ("upper", "lower", "upper_after", "lower_after"),
        [
            ("", "", "127.0.0.1,localhost,::1", "127.0.0.1,localhost,::1"),
            ("corp", "", "corp,127.0.0.1,localhost,::1", "corp,127.0.0.1,localhost,::1"),
            ("", "a, b", "a,b,127.0.0.1,localhost,::1", "a,b,127.0.0.1,localhost,::1"),
            ("a", "b", "a,127.0.0.1,localhost,::1", "b,127.0.0.1,localhost,::1"),
            ("localhost,x", "*", "localhost,x,127.0.0.1,::1", "*"),
        ],
    )
    def test_loopback_is_kept_from_proxies(
        self, home: Path, upper: str, lower: str, upper_after: str, lower_after: str
    ) -> None:
        launch = prepare("x", home, NO_PROXY=upper, no_proxy=lower)
        assert (launch.environment["NO_PROXY"], launch.environment["no_proxy"]) == (upper_after, lower_after)


class TestKeys:
    def test_without_a_key_the_first_provider_of_the_dialect_is_selected_and_the_demo_where_there_is_none(
        self, home: Path
    ) -> None:
        launch = prepare("python app.py", home)
        assert keys(launch) == {
            "ANTHROPIC_API_KEY": "anthropic",
            "OPENAI_API_KEY": "openai",
            "GEMINI_API_KEY": "demo",
        }
        assert launch.notes == [
            "you have no key of your own here: ANTHROPIC_API_KEY selects provider anthropic, "
            "OPENAI_API_KEY selects provider openai, GEMINI_API_KEY selects provider demo"
        ]

    def test_a_provider_of_the_second_dialect_is_better_than_the_demo(self, home: Path) -> None:
        launch = prepare("x", home, [Offer("demo", ()), Offer("codex", ("openai_responses",))])
        assert keys(launch)["OPENAI_API_KEY"] == "codex"

    def test_a_provider_that_speaks_it_beside_another_api_comes_second(self, home: Path) -> None:
        router = Offer("router", ("openai", "openai_responses", "anthropic"))
        assert keys(prepare("x", home, [router, *OFFERS]))["ANTHROPIC_API_KEY"] == "anthropic"
        assert keys(prepare("x", home, [Offer("demo", ()), router]))["ANTHROPIC_API_KEY"] == "router"

    def test_a_client_of_one_api_gets_a_provider_to_convert_for(self, home: Path) -> None:
        offers = [Offer("demo", ()), Offer("a", ("anthropic",))]
        assert keys(prepare("gemini -p x", home, offers)) == {"GEMINI_API_KEY": "a"}
        assert keys(prepare("python app.py", home, offers))["GEMINI_API_KEY"] == "demo"

    def test_codex_gets_one_that_speaks_responses(self, home: Path) -> None:
        offers = [Offer("chat", ("openai",)), Offer("both", ("openai", "openai_responses"))]
        assert keys(prepare("codex exec x", home, offers)) == {"OPENAI_API_KEY": "both"}
        assert keys(prepare("codex exec x", home, offers[:1])) == {"OPENAI_API_KEY": "chat"}

    def test_without_a_provider_nothing_is_set(self, home: Path) -> None:
        launch = prepare("x", home, [])
        assert keys(launch) == {}
        assert launch.notes == []

    @pytest.mark.parametrize(
        ("variable", "silent"),
        [
            ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"),
            ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"),
            ("OPENAI_API_KEY", "OPENAI_API_KEY"),
            ("GEMINI_API_KEY", "GEMINI_API_KEY"),
            ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        ],
    )
    def test_a_key_of_the_user_stays_and_keeps_the_sentinel_away(self, home: Path, variable: str, silent: str) -> None:
        launch = prepare("x", home, **{variable: "mine"})
        assert launch.environment[variable] == "mine"
        assert silent not in keys(launch)
        assert len(keys(launch)) == 2

    def test_an_empty_variable_is_no_key(self, home: Path) -> None:
        assert keys(prepare("x", home, OPENAI_API_KEY=""))["OPENAI_API_KEY"] == "openai"

    def test_a_forced_provider_takes_the_place_of_every_key(self, home: Path) -> None:
        launch = prepare(
            "x", home, forced="deepseek", ANTHROPIC_AUTH_TOKEN="mine", OPENAI_API_KEY="mine", GOOGLE_API_KEY="mine"
        )
        assert keys(launch) == dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), "deepseek")
        assert "mine" not in launch.environment.values()
        assert launch.notes == []

    def test_a_key_the_gateway_asks_for_follows_the_name_and_is_not_told(self, home: Path) -> None:
        launch = clients.prepare(["x"], {"HOME": str(home)}, base_url=BASE, offers=OFFERS, client_key="let-me-in")
        assert keys(launch)["GEMINI_API_KEY"] == "demo.let-me-in"
        assert "let-me-in" not in str(launch.notes)


class TestClaude:
    LOGIN: ClassVar = {"claudeAiOauth": {"accessToken": "a", "refreshToken": "r"}}

    def test_without_a_key_it_gets_a_token_which_it_takes_without_asking(self, home: Path) -> None:
        assert keys(prepare("/opt/bin/claude -p hi", home)) == {"ANTHROPIC_AUTH_TOKEN": "anthropic"}

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            (".claude/.credentials.json", LOGIN),
            (".claude.json", {"primaryApiKey": "k"}),
            (".claude/settings.json", {"apiKeyHelper": "get-key"}),
        ],
    )
    def test_a_saved_login_is_kept(self, home: Path, path: str, content: object) -> None:
        save(home / path, content)
        launch = prepare("claude", home)
        assert keys(launch) == {}
        assert launch.environment["ANTHROPIC_BASE_URL"] == BASE

    def test_a_login_by_variable_is_kept(self, home: Path) -> None:
        assert keys(prepare("claude", home, CLAUDE_CODE_OAUTH_TOKEN="t")) == {}

    def test_the_login_may_be_elsewhere(self, home: Path, tmp_path: Path) -> None:
        save(tmp_path / "other" / ".credentials.json", self.LOGIN)
        assert keys(prepare("claude", home, CLAUDE_CONFIG_DIR=str(tmp_path / "other"))) == {}
        assert keys(prepare("claude", home, CLAUDE_SECURESTORAGE_CONFIG_DIR=str(tmp_path / "other"))) == {}

    def test_a_dead_login_is_none(self, home: Path) -> None:
        save(home / ".claude/.credentials.json", {"claudeAiOauth": {"accessToken": "", "refreshToken": ""}})
        assert keys(prepare("claude", home)) == {"ANTHROPIC_AUTH_TOKEN": "anthropic"}

    def test_an_unknown_command_may_start_it_so_the_login_counts(self, home: Path) -> None:
        save(home / ".claude/.credentials.json", self.LOGIN)
        assert set(keys(prepare("bash", home))) == {"OPENAI_API_KEY", "GEMINI_API_KEY"}
        assert "ANTHROPIC_API_KEY" in keys(prepare("aider", home))

    def test_force_wins_over_the_login(self, home: Path) -> None:
        save(home / ".claude/.credentials.json", self.LOGIN)
        assert keys(prepare("claude", home, forced="demo"))["ANTHROPIC_AUTH_TOKEN"] == "demo"


class TestCodex:
    OWN: ClassVar = [
        "-c",
        'model_provider="ccproxy"',
        "-c",
        f'model_providers.ccproxy={{name="ccproxy",base_url="{BASE}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}}',
    ]
    BUILT_IN: ClassVar = ["-c", f'openai_base_url="{BASE}/v1"']

    def test_without_a_login_it_gets_a_provider_of_its_own(self, home: Path) -> None:
        launch = prepare("codex exec hi -c x=1", home)
        assert launch.words == ["codex", *self.OWN, "exec", "hi", "-c", "x=1"]
        assert keys(launch) == {"OPENAI_API_KEY": "codex"}

    @pytest.mark.parametrize(
        "store",
        [
            {"OPENAI_API_KEY": "k", "auth_mode": "apikey"},
            {"OPENAI_API_KEY": None, "tokens": {"access_token": "t"}, "auth_mode": "chatgpt"},
        ],
    )
    def test_a_login_in_its_store_needs_the_built_in_provider(self, home: Path, store: object) -> None:
        save(home / ".codex/auth.json", store)
        launch = prepare("codex", home)
        assert launch.words == ["codex", *self.BUILT_IN]
        assert keys(launch) == {}

    def test_the_store_may_be_elsewhere_and_a_key_in_a_variable(self, home: Path, tmp_path: Path) -> None:
        save(tmp_path / "other" / "auth.json", {"OPENAI_API_KEY": "k"})
        assert prepare("codex", home, CODEX_HOME=str(tmp_path / "other")).words[1:] == self.BUILT_IN
        assert prepare("codex", home, CODEX_API_KEY="k").words[1:] == self.BUILT_IN

    def test_force_wins_over_the_store(self, home: Path) -> None:
        save(home / ".codex/auth.json", {"OPENAI_API_KEY": "k"})
        assert prepare("codex", home, forced="demo").words[1:] == self.OWN


class TestGemini:
    def test_with_a_key_or_without_anything_it_gets_the_base_url(self, home: Path) -> None:
        launch = prepare("gemini -p hi", home)
        assert launch.environment["GOOGLE_GEMINI_BASE_URL"] == BASE
        assert keys(launch) == {"GEMINI_API_KEY": "anthropic"}
        assert "Invalid auth method" in launch.notes[-1], "what gemini-cli says where no kind of login is stored"
        save(home / ".gemini/oauth_creds.json", {})
        assert "GOOGLE_GEMINI_BASE_URL" in prepare("gemini", home, GEMINI_API_KEY="mine").environment

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            (".gemini/oauth_creds.json", {"access_token": "t"}),
            (".gemini/settings.json", {"security": {"auth": {"selectedType": "oauth-personal"}}}),
        ],
    )
    def test_a_google_login_must_not_see_it(self, home: Path, path: str, content: object) -> None:
        save(home / path, content)
        launch = prepare("gemini", home)
        assert "GOOGLE_GEMINI_BASE_URL" not in launch.environment
        assert launch.environment["CODE_ASSIST_ENDPOINT"] == BASE
        assert keys(launch) == {}

    def test_a_stored_key_mode_outranks_an_old_login(self, home: Path) -> None:
        save(home / ".gemini/oauth_creds.json", {"access_token": "t"})
        save(home / ".gemini/settings.json", {"security": {"auth": {"selectedType": "gemini-api-key"}}})
        assert "GOOGLE_GEMINI_BASE_URL" in prepare("gemini", home).environment

    def test_force_wins_over_a_login_but_says_so_where_the_mode_is_stored(self, home: Path) -> None:
        save(home / ".gemini/oauth_creds.json", {"access_token": "t"})
        launch = prepare("gemini", home, forced="demo")
        assert keys(launch)["GEMINI_API_KEY"] == "demo"
        assert launch.environment["GOOGLE_GEMINI_BASE_URL"] == BASE
        assert not any("Google login" in note for note in launch.notes)
        save(home / ".gemini/settings.json", {"security": {"auth": {"selectedType": "oauth-personal"}}})
        assert "Google login" in prepare("gemini", home, forced="demo").notes[0]


class TestOpencode:
    URLS: ClassVar = {
        "anthropic": {"options": {"baseURL": f"{BASE}/v1"}},
        "openai": {"options": {"baseURL": f"{BASE}/v1"}},
        "google": {"options": {"baseURL": f"{BASE}/v1beta"}},
    }

    def content(self, launch: Launch) -> object:
        return json.loads(launch.environment["OPENCODE_CONFIG_CONTENT"])

    def test_base_urls_and_keys(self, home: Path) -> None:
        launch = prepare("opencode run hi", home)
        assert self.content(launch) == {"provider": self.URLS}
        assert keys(launch) == {
            "ANTHROPIC_API_KEY": "anthropic",
            "OPENAI_API_KEY": "openai",
            "GOOGLE_GENERATIVE_AI_API_KEY": "demo",
        }

    def test_what_the_user_has_there_is_kept(self, home: Path) -> None:
        mine = {
            "model": "m",
            "provider": {
                "anthropic": {"options": {"timeout": 5, "baseURL": "https://elsewhere.example"}, "name": "A"},
                "other": {"npm": "x"},
            },
        }
        launch = prepare("opencode", home, OPENCODE_CONFIG_CONTENT=json.dumps(mine))
        assert self.content(launch) == {
            "model": "m",
            "provider": {
                **self.URLS,
                "anthropic": {"options": {"timeout": 5, "baseURL": f"{BASE}/v1"}, "name": "A"},
                "other": {"npm": "x"},
            },
        }

    @pytest.mark.parametrize("text", ["{", "[]", "// a comment\n{}"])
    def test_what_cannot_be_extended_is_an_error(self, home: Path, text: str) -> None:
        with pytest.raises(CommandError, match="OPENCODE_CONFIG_CONTENT"):
            prepare("opencode", home, OPENCODE_CONFIG_CONTENT=text)


def test_what_health_reports_becomes_offers() -> None:
    reported = [
        {"name": "demo", "type": "demo", "dialects": []},
        {"name": "a", "type": "anthropic", "dialects": ["anthropic"]},
        {"name": "new", "type": "not-known-here", "dialects": ["openai", "gemini"]},
        {"name": "odd", "type": "anthropic"},
        {"dialects": ["anthropic"]},
        "nonsense",
    ]
    assert clients.offers(reported) == [
        Offer("demo", ()),
        Offer("a", ("anthropic",)),
        Offer("new", ("openai", "gemini")),
    ]
    assert clients.offers(None) == []


@pytest.mark.parametrize("content", ["", "[]", "{", "\udcff"])
def test_a_store_that_makes_no_sense_is_no_login(home: Path, content: str) -> None:
    for path in (".claude.json", ".claude/.credentials.json", ".codex/auth.json", ".gemini/settings.json"):
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert len(keys(prepare("x", home))) == 3
