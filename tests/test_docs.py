"""The documentation is tried out: configurations load, commands parse, links and settings lead somewhere, defaults are the
real ones, and what the README shows and says of itself happens with a real proxy.

Strategy: pages are read as text; fenced blocks and inline code are taken out of them and given to the code they speak of.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.version import Version

from ccproxy import __version__
from ccproxy.cli.launch import launch
from ccproxy.cli.main import cli
from ccproxy.config.load import load
from ccproxy.config.settings import Settings
from ccproxy.errors import ConfigError

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
README = ROOT / "README.md"
FLOWS = ROOT / "docs" / "explanation" / "flows.md"

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SETTING = re.compile(r"(?:gateway|egress|flows|inspector)(?:\.[a-z_]+)+")
_FILE = re.compile(r"\.(?:db|md|py|log|json|key)$")
#: In a configuration: stands for a key that must not be published.
_KEY = re.compile(r"KEY-OF-[A-Z]+")
_UNITS = {"": 1, "s": 1, "days": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_VALUE = r"(?P<number>[\d,]+)(?: (?P<unit>s|days|KiB|MiB|GiB))?"
#: A default as pages give it: `setting` (14), or the second cell of a table row.
_DEFAULTS = (
    re.compile(rf"`(?P<setting>{_SETTING.pattern})`\s\({_VALUE}\)"),
    re.compile(rf"^\| `(?P<setting>{_SETTING.pattern})` \| {_VALUE} \|", re.MULTILINE),
)


@cache
def content(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, kind: str) -> list[str]:
    return [textwrap.dedent(found["text"]) for found in _BLOCK.finditer(content(page)) if found["kind"] == kind]


def prose(page: Path) -> str:
    return _BLOCK.sub("", content(page))


def shell_lines(page: Path) -> list[str]:
    """The lines of the page's shell blocks, continued ones joined."""
    return "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()


def commands(page: Path) -> list[list[str]]:
    """Every `ccproxy …` in shell blocks and inline code, without comments, variables before it and pipes after it."""
    lines = shell_lines(page)
    inline = _INLINE.findall("\n".join([prose(page), *lines]))
    found = []
    for line in [*lines, *(code for code in inline if re.match(r"(?:[A-Z_]+=\S+ )*ccproxy ", code))]:
        if "ccproxy" not in line:
            continue
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        for mark in ("|", ">", "&&", ";"):
            words = words[: words.index(mark)] if mark in words else words
        if words[:1] == ["ccproxy"] and not {"…", "COMMAND"} & set(words[1:2]):
            found += alternatives([word.rstrip(";") for word in words[1:]])
    return found


def alternatives(words: list[str]) -> list[list[str]]:
    """`config check|show` is two commands."""
    for position, word in enumerate(words):
        if re.fullmatch(r"[a-z]+(?:\|[a-z]+)+", word):
            return [[*words[:position], choice, *words[position + 1 :]] for choice in word.split("|")]
    return [words]


def parse(words: list[str]) -> None:
    """Parses a command line as `ccproxy` would and runs nothing. Raises click.UsageError."""
    command: click.Command = cli
    context = click.Context(command, info_name="ccproxy", **cli.context_settings)
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(list(words))
        if not words:
            return
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"no such command: {words[0]}")
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    # Prose names commands without their arguments, and --help ends there.
    with contextlib.suppress(click.MissingParameter, click.exceptions.Exit):
        command.make_context(command.name, list(words), parent=context.parent)


def default(setting: str) -> object:
    """The default of a setting by its dotted name. Raises AttributeError if there is no such setting."""
    value: object = Settings()
    for part in setting.split("."):
        value = getattr(value, part)
    return value


def slug(heading: str) -> str:
    """The anchor that a heading gets on the pages of code forges."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


class TestPages:
    @pytest.mark.parametrize("name", NAMES)
    def test_links_lead_somewhere(self, name: str) -> None:
        page = ROOT / name
        dead = []
        for link in _LINK.findall(prose(page)):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (
                anchor and anchor not in {slug(found) for found in _HEADING.findall(prose(target))}
            ):
                dead.append(link)
        assert dead == []

    def test_the_index_names_every_page(self) -> None:
        index = ROOT / "docs" / "index.md"
        linked = {(index.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(content(index))}
        folders = {path for path in linked if path.is_dir()}
        assert [
            name for name, page in zip(NAMES, PAGES, strict=True)
            if name.startswith("docs/") and page != index and page not in linked and page.parent not in folders
        ] == []  # fmt: skip

    def test_the_readme_is_read_in_ten_minutes(self) -> None:
        assert len(content(README).splitlines()) <= 350

    def test_the_changelog_has_this_version(self) -> None:
        assert f"## [{Version(__version__).base_version}]" in content(ROOT / "CHANGELOG.md")


class TestConfigurations:
    @pytest.mark.parametrize("name", NAMES)
    def test_they_load_without_a_problem(self, name: str, tmp_path: Path) -> None:
        for number, text in enumerate(blocks(ROOT / name, "yaml")):
            assert text.startswith("ccproxy:\n"), "a yaml block is a whole configuration"
            path = tmp_path / f"{number}.yaml"
            path.write_text(_KEY.sub(lambda _: secrets.token_hex(32), text))
            path.chmod(0o600)
            assert load(path, env={}).warnings == []

    def test_no_key_is_published(self, tmp_path: Path) -> None:
        samples = [text for page in PAGES for text in blocks(page, "yaml") if "client_keys:" in text]
        assert samples
        for text in samples:
            keys = yaml.safe_load(text)["ccproxy"]["gateway"]["client_keys"]
            assert [key for key in keys.values() if not _KEY.fullmatch(key)] == []
            path = tmp_path / "sample.yaml"
            path.write_text(text)
            with pytest.raises(ConfigError, match="client_keys"):
                load(path, env={})

    @pytest.mark.parametrize("name", NAMES)
    def test_settings_that_are_named_exist(self, name: str) -> None:
        named = {code for code in _INLINE.findall(prose(ROOT / name)) if _SETTING.fullmatch(code)}
        missing = []
        for setting in sorted(named):
            try:
                default(setting)
            except AttributeError:
                missing += [] if _FILE.search(setting) else [setting]
        assert missing == []

    @pytest.mark.parametrize("name", NAMES)
    def test_defaults_are_the_real_ones(self, name: str) -> None:
        for pattern in _DEFAULTS:
            for found in pattern.finditer(prose(ROOT / name)):
                said = int(found["number"].replace(",", "")) * _UNITS[found["unit"] or ""]
                assert said == default(found["setting"]), found[0]

    def test_defaults_are_found(self) -> None:
        assert all(pattern.search(prose(README) + prose(FLOWS)) for pattern in _DEFAULTS)


class TestCommands:
    @pytest.mark.parametrize("name", NAMES)
    def test_they_exist_with_their_options(self, name: str) -> None:
        for words in commands(ROOT / name):
            try:
                parse(words)
            except click.UsageError as error:
                pytest.fail(f"ccproxy {' '.join(words)}: {error.format_message()}")

    def test_they_are_found(self) -> None:
        found = [words for page in PAGES for words in commands(page)]
        assert ["run", "--", "claude"] in found
        assert ["start", "--port", "4001"] in found
        assert ["flows", "clear", "--all"] in found

    @pytest.mark.parametrize("line", ["nonsense", "flows nonsense", "start --nonsense", "start --port none"])
    def test_a_wrong_one_is_noticed(self, line: str) -> None:
        with pytest.raises(click.UsageError):
            parse(line.split())


@dataclass
class Proxy:
    """A running `ccproxy start` and its surroundings."""

    url: str
    env: dict[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "ccproxy", *words]
        return subprocess.run(line, env=self.env, capture_output=True, text=True, timeout=30, check=False)

    def shell(self, line: str) -> str:
        """Runs a curl line of a page against this proxy and returns what it prints."""
        line = line.replace("http://127.0.0.1:4000", self.url)
        done = subprocess.run(["sh", "-c", line], env=self.env, check=True, capture_output=True, text=True, timeout=30)
        return done.stdout

    def ask(self, provider: str, path: str, model: str) -> tuple[int, str]:
        """Status and body for a request with the sentinel key of `provider`."""
        body = json.dumps({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]})
        line = ["curl", "-s", "-w", "\n%{http_code}", f"{self.url}{path}", "-H", "content-type: application/json"]
        line += ["-H", f"authorization: Bearer sk-ant-oat-ccproxy-{provider}", "-d", body]
        done = subprocess.run(line, check=True, capture_output=True, text=True, timeout=30)
        text, _, status = done.stdout.rpartition("\n")
        return int(status), text


def start(home: Path) -> Iterator[Proxy]:
    """A proxy on a free port with the configuration in `home`; ended afterwards."""
    env = {
        "HOME": str(home),
        "CCPROXY_CONFIG_DIR": str(home),
        "CCPROXY_INSPECTOR__PORT": "null",
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    env["CCPROXY_PORT"] = str(free_port())
    if not (home / "ccproxy.yaml").exists():
        subprocess.run([sys.executable, "-m", "ccproxy", "init"], env=env, check=True, capture_output=True)
    process, urls = launch(["start"], env)
    try:
        yield Proxy(urls[0], env)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """What `ccproxy init` and `ccproxy start` give."""
    yield from start(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def answer(proxy: Proxy) -> Any:
    """The answer to the README's own curl line. Its flow can be read when this returns."""
    [curl] = [text for text in blocks(README, "bash") if text.startswith("curl")]
    document = json.loads(proxy.shell(curl))
    deadline = time.monotonic() + 10
    while proxy.run("flows", "show", "last").returncode:
        assert time.monotonic() < deadline, "the flow did not come"
    return document


class TestTheFirstRequest:
    """The README's own lines in their order."""

    def test_it_gives_the_answer_that_is_shown(self, answer: Any) -> None:
        [shown] = [json.loads(text) for text in blocks(README, "json")]
        assert shown["id"] != answer["id"]
        assert {**shown, "id": answer["id"]} == shortened(answer, shown)

    def test_its_flow_is_shown_as_it_says(self, proxy: Proxy, answer: Any) -> None:
        [shown] = [text for text in blocks(README, "text") if text.startswith("Flow ")]
        told = proxy.run("flows", "show", "last").stdout
        head = told.splitlines()[: len(shown.splitlines())]
        assert [unvaried(line) for line in head] == [unvaried(line) for line in shown.splitlines()]

    def test_the_examples_for_flows_work(self, proxy: Proxy, answer: Any) -> None:
        flow = json.loads(proxy.run("flows", "list", "--json").stdout)[-1]["id"]
        examples = [words for page in (README, FLOWS) for words in lines_about_flows(page)]
        assert len(examples) >= 7
        for words in examples:
            done = proxy.run(*[flow[:6] if re.fullmatch(r"[0-9a-f]{6}", word) else word for word in words])
            assert done.returncode == 0, (words, done.stderr)
            assert "clear" in words or "filters leave no flow" in done.stderr or done.stdout, words


def lines_about_flows(page: Path) -> list[list[str]]:
    """The `ccproxy flows` lines of shell blocks, those that delete last."""
    found = []
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        if words[:2] == ["ccproxy", "flows"]:
            found.append(list(takewhile(lambda word: word not in {"|", ">"}, words[1:])))
    return sorted(found, key=lambda words: words[1] == "clear")


def shortened(answer: Any, shown: Any) -> Any:
    """`answer` without the members that `shown` leaves out."""
    if not isinstance(shown, dict):
        return answer
    return {name: shortened(answer.get(name), inner) for name, inner in shown.items()}


def unvaried(line: str) -> str:
    """A line of `flows show` without what differs from run to run."""
    line = re.sub(r"^Flow [0-9a-f]{12}$", "Flow ID", line)
    line = re.sub(r"(?<=^  when     ).*", "NOW", line)
    return re.sub(r"(?<=127\.0\.0\.1:)\d+|(?<=curl/)[\d.]+\S*", "N", line)


ABSENT = """
ccproxy:
  hooks: {inbound: [ccproxy.hooks.inject_auth], outbound: [ccproxy.hooks.shape]}
  providers:
    other: {type: openai, base_url: http://127.0.0.1:1/v1}
  inspector:
    transforms: [{match_model: ^claude-t, action: transform, dest_provider: other}]
"""


@pytest.fixture(scope="module")
def absent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy that is asked for all of it."""
    home = tmp_path_factory.mktemp("absent")
    (home / "ccproxy.yaml").write_text(ABSENT)
    yield from start(home)


class TestWhatIsNotThere:
    """The README's table of what this version does not do."""

    def test_warnings_name_hooks(self, absent: Proxy) -> None:
        warned = absent.run("config", "check").stderr
        assert "hooks.outbound: hook shape does nothing in this version\n" in warned

    def test_mcp(self, absent: Proxy) -> None:
        done = absent.run("status", "--mcp")
        assert done.returncode == 4
        assert "down (not part of this version)" in done.stdout

    @pytest.mark.parametrize("line", ["shapes", "flows shapes"])
    def test_commands(self, line: str) -> None:
        with pytest.raises(click.UsageError, match="no such command"):
            parse(line.split())
