"""The page in a real browser: Debian's Chromium, driven by Playwright. What recorded text could do to it, it must not."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inspector.world import EVIL, PATIENCE, SESSION, Slow, World, world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
if not CHROMIUM:
    pytest.skip("there is no chromium (apt-get install chromium)", allow_module_level=True)
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

Lived = tuple[World, dict[str, str]]
FLOW = "#panel"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield made
        made.close()


class Window:
    """A page that is logged in, and everything that must not happen to it."""

    def __init__(self, browser: Browser, world: World, **options: Any) -> None:
        self.world = world
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.trouble: list[str] = []
        self.asked: list[str] = []
        self.page.on("dialog", lambda dialog: (self.trouble.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.trouble.append(f"error {error}"))
        self.page.on(
            "console", lambda message: message.type in {"error", "warning"} and self.trouble.append(message.text)
        )
        self.page.on("request", lambda request: self.asked.append(request.url))

    def log_in(self, place: str = "") -> Page:
        self.page.goto(self.world.login_url())
        self.page.wait_for_selector(".bar")
        if place:
            self.go(place)
        return self.page

    def go(self, place: str) -> None:
        """Shows a place by its address, as a shared link does."""
        self.page.goto(f"{self.world.url}/{place}")

    def close(self) -> None:
        self.context.close()
        strangers = [url for url in self.asked if not url.startswith((self.world.url, "data:", "blob:"))]
        assert strangers == []
        assert self.trouble == []


@pytest.fixture
def window(browser: Browser, lived: Lived) -> Iterator[Window]:
    made = Window(browser, lived[0])
    yield made
    made.close()


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def until(page: Page, condition: str) -> None:
    """Waits for a condition in the page. (Playwright's own way evaluates inside the page, which its policy refuses.)"""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(10)


class TestGettingIn:
    def test_the_link_logs_in_and_is_gone_from_the_address(self, window: Window) -> None:
        page = window.log_in()
        assert page.url.startswith(f"{window.world.url}/")
        assert "login" not in page.url
        (cookie,) = window.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert page.evaluate("document.cookie") == ""

    def test_without_it_there_is_a_door(self, window: Window) -> None:
        window.page.goto(window.world.url)
        window.page.wait_for_selector(".door")
        assert "ccproxy inspector" in text(window.page, ".door")
        window.trouble.clear()  # the browser reports the 401
        for _ in range(2):  # where the door is shown, and where the page is
            window.page.goto(window.world.login_url())
            window.page.wait_for_selector(".row")
            assert "login" not in window.page.url

    def test_a_link_that_was_used_says_so(self, browser: Browser, lived: Lived) -> None:
        world, _ = lived
        link = world.login_url()
        first, second = Window(browser, world), Window(browser, world)
        first.page.goto(link)
        first.page.wait_for_selector(".bar")
        second.page.goto(link)
        second.page.wait_for_selector(".door")
        assert "used already" in text(second.page, ".door")
        second.trouble.clear()
        first.close()
        second.close()


class TestFlows:
    def test_the_list_and_a_conversation(self, window: Window, lived: Lived) -> None:
        _, flows = lived
        page = window.log_in()
        page.wait_for_selector(".row")
        assert page.locator(".row").count() >= len(flows)
        page.click(f"#row-{flows['last']}")
        page.wait_for_selector(".talk")
        talk = text(page, ".talk")
        assert "The retry test fails on Mondays" in talk
        assert "All 41 tests pass now" in talk
        assert page.locator(".call").count() == 3
        assert page.locator(".call .result").count() == 3
        page.click(".call summary >> nth=0")
        page.wait_for_selector(".call .args >> text=pytest tests/test_retry.py")
        page.click(".call .result summary >> nth=0")
        page.wait_for_selector(".result pre >> text=AssertionError")
        assert page.evaluate("document.querySelector('.image img').naturalWidth") == 48

    def test_an_address_shows_the_same_again(self, window: Window, lived: Lived) -> None:
        _, flows = lived
        page = window.log_in(f"#/flows/{flows['converted']}/changes?provider=google")
        page.wait_for_selector(".change")
        assert page.locator(".row").count() == 1
        page.reload()
        page.wait_for_selector(".change")
        assert page.locator("[role=tab][aria-selected=true]").inner_text().startswith("Changes")
        assert page.locator("select[aria-label=Provider]").input_value() == "google"

    def test_what_was_changed_and_why(self, window: Window, lived: Lived) -> None:
        _, flows = lived
        page = window.log_in(f"#/flows/{flows['converted']}/changes")
        page.wait_for_selector(".change")
        shown = text(page, FLOW)
        assert "converted from openai to gemini" in shown
        assert "logit_bias" in shown
        assert "route: sentinel" in shown
        assert page.locator(".unified .line-new").count() > 3

    @pytest.mark.parametrize(
        ("tab", "selector", "said"),
        [
            ("request", ".json", "claude-sonnet-4-5"),
            ("forwarded", ".json", "claude-sonnet-4-5"),
            ("response", ".json-text", "message_start"),
            ("events", ".event", "content_block_delta"),
            ("headers", ".fields", "anthropic"),
            ("timing", ".chart", "waiting for the provider"),
        ],
    )
    def test_tabs(self, window: Window, lived: Lived, tab: str, selector: str, said: str) -> None:
        page = window.log_in(f"#/flows/{lived[1]['last']}/{tab}")
        page.wait_for_selector(f"{FLOW} {selector}")
        assert said in text(page, FLOW) or said in page.locator(f"{FLOW} svg").first.text_content()

    def test_an_event_opens(self, window: Window, lived: Lived) -> None:
        page = window.log_in(f"#/flows/{lived[1]['last']}/events")
        page.click(".event >> nth=0")
        page.wait_for_selector(".opened .json")
        assert page.locator(".event").nth(1).inner_text().split()[1].replace(".", "").isdigit()

    def test_an_error(self, window: Window, lived: Lived) -> None:
        page = window.log_in(f"#/flows/{lived[1]['error']}")
        page.wait_for_selector(".answer .failure")
        assert text(page, ".badge") == "400"

    def test_a_flow_that_is_not_there(self, window: Window) -> None:
        page = window.log_in("#/flows/ffffffffffff")
        page.wait_for_selector("[role=alert] >> text=no such flow")
        window.trouble.clear()  # the browser reports the 404

    def test_search(self, window: Window, lived: Lived) -> None:
        _, flows = lived
        page = window.log_in()
        page.keyboard.press("/")
        page.keyboard.type("dashboard mondays")
        page.wait_for_selector(".row mark")
        assert page.locator(".row").count() == 1
        assert page.locator(f"#row-{flows['turn 0']} mark").first.inner_text() == "Mondays"
        page.keyboard.press("Escape")
        until(page, f"document.querySelectorAll('.row').length >= {len(flows)}")

    def test_filters(self, window: Window, lived: Lived) -> None:
        page = window.log_in()
        page.wait_for_selector("select[aria-label=Tool] option >> nth=2", state="attached")
        page.select_option("select[aria-label=Tool]", "Read")
        until(page, "document.querySelectorAll('.row').length === 1")
        assert "tool=Read" in page.url
        page.click("text=Clear")
        until(page, "document.querySelectorAll('.row').length > 5")


class TestLive:
    def test_a_stream_grows_and_ends(self, window: Window) -> None:
        page = window.log_in()
        page.wait_for_selector(".state.is-live")
        slow = Slow(window.world, "alpha beta gamma delta epsilon")
        try:
            page.wait_for_selector(".row.is-run >> text=claude-slow-1")
            page.click(".row.is-run")
            page.wait_for_selector(".answer >> text=alpha")
            assert "epsilon" not in text(page, ".answer")
            assert text(page, ".badge") == "running"
        finally:
            slow.end()
        page.wait_for_selector(".answer >> text=epsilon")
        page.wait_for_selector(".badge >> text=200")
        page.wait_for_selector(".row:not(.is-run) >> text=claude-slow-1")
        assert page.locator(".row.is-run").count() == 0

    def test_what_is_read_stays_in_place_while_more_comes(self, browser: Browser, lived: Lived) -> None:
        world, flows = lived
        window = Window(browser, world, viewport={"width": 1280, "height": 320})
        page = window.log_in()
        page.wait_for_selector(".row")
        page.evaluate("document.querySelector('.rows').scrollTop = 150")
        page.wait_for_selector(f"#row-{flows['turn 0']}")
        where = f"document.getElementById('row-{flows['turn 1']}').getBoundingClientRect().top"
        before = page.evaluate(where)
        world.ask({"model": "claude-new", "max_tokens": 5, "messages": [{"role": "user", "content": "more"}]})
        page.wait_for_selector(".list-status >> text=/flows/")
        until(page, "document.querySelector('.rows').scrollTop > 150")
        page.wait_for_timeout(50)
        assert abs(page.evaluate(where) - before) < 1
        window.close()


class TestInjection:
    @pytest.mark.parametrize("tab", ["talk", "request", "forwarded", "changes", "response", "headers", "timing"])
    def test_recorded_markup_stays_text(self, window: Window, lived: Lived, tab: str) -> None:
        page = window.log_in()
        page.evaluate(
            "addEventListener('securitypolicyviolation', (event) => console.error('policy ' + event.violatedDirective))"
        )
        page.goto(f"{window.world.url}/#/flows/{lived[1]['evil']}/{tab}")
        page.wait_for_selector(".flow-head h2")
        page.wait_for_selector("#panel[aria-busy=false]")
        closed = page.locator("details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()
        assert page.locator("script").count() == 1
        assert page.locator("img[src=x]").count() == 0
        assert page.title() == "ccproxy"
        if tab == "talk":
            assert EVIL in text(page, FLOW)
            assert EVIL in text(page, ".tool-list")

    def test_in_other_views(self, window: Window, lived: Lived) -> None:
        page = window.log_in("#/costs?hours=1")
        page.wait_for_selector(".legend")
        assert EVIL in text(page, ".legend")
        window.go(f"#/session/{lived[0].api('flows/' + lived[1]['evil'])['session']}")
        page.wait_for_selector(".turns-table")
        assert EVIL in text(page, ".turns-table")
        window.go("#/flows?text=document.title")
        page.wait_for_selector(".row .snippet")
        assert "<script>" in text(page, ".rows")
        assert page.title() == "ccproxy"

    def test_an_address_is_no_markup_either(self, window: Window) -> None:
        page = window.log_in("#/session/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        page.wait_for_selector(".nothing")
        window.go("#/flows?model=%3Cscript%3Ealert(1)%3C%2Fscript%3E&status=%3Cb%3E")
        page.wait_for_selector(".banner >> text=is no status")
        window.trouble.clear()  # the browser reports the 400

    def test_the_policy_holds_what_should_get_past_the_page(self, window: Window) -> None:
        page = window.log_in()
        refused = page.evaluate(
            "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (error) { return error.name; } }"
        )
        assert refused == "TypeError"
        window.trouble.clear()


class TestKeys:
    def test_walking_through_the_list(self, window: Window) -> None:
        page = window.log_in()
        page.wait_for_selector(".row")
        rows = [row["id"] for row in window.world.api("flows")["rows"]]
        press = page.keyboard.press
        press("j")
        page.wait_for_selector(f"#row-{rows[0]}[aria-selected=true]")
        press("j")
        press("ArrowDown")
        page.wait_for_selector(f"#row-{rows[2]}[aria-selected=true]")
        press("k")
        page.wait_for_selector(f"#row-{rows[1]}[aria-selected=true]")
        assert rows[1] in page.url
        page.wait_for_selector("[role=tab]")
        press("2")
        page.wait_for_selector("#tab-request[aria-selected=true]")
        press("]")
        page.wait_for_selector("#tab-forwarded[aria-selected=true]")
        press("Enter")
        assert page.evaluate("document.activeElement.id") == "panel"
        press("Escape")
        page.wait_for_selector(".nothing")
        assert page.evaluate("document.activeElement.className") == "rows"
        press("G")
        page.wait_for_selector(f"#row-{rows[-1]}[aria-selected=true]")
        press("g")
        page.wait_for_selector(f"#row-{rows[0]}[aria-selected=true]")

    def test_a_key_for_a_tab_waits_for_the_flow(self, window: Window) -> None:
        page = window.log_in()
        page.wait_for_selector(".row")
        first, second = (row["id"] for row in window.world.api("flows")["rows"][:2])
        page.keyboard.press("j")
        page.wait_for_selector(f"#row-{first}[aria-selected=true]")
        page.wait_for_selector("#panel[aria-busy=false]")
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(f"**/api/flows/{second}", hold)
        page.keyboard.press("j")
        page.keyboard.press("2")
        until(page, "document.querySelector('[aria-busy=true]')")
        while not held:  # the browser's events come while it waits
            page.wait_for_timeout(10)
        held[0].continue_()
        page.wait_for_selector("#tab-request[aria-selected=true]")
        assert page.url.endswith(f"{second}/request")

    def test_help_views_and_themes(self, window: Window) -> None:
        page = window.log_in()
        press = page.keyboard.press
        press("?")
        page.wait_for_selector("dialog[open]")
        press("Escape")
        page.wait_for_selector("dialog:not([open])", state="attached")
        press("s")
        page.wait_for_selector(f".session-list >> text={SESSION}")
        press("c")
        page.wait_for_selector(".legend")
        press("f")
        page.wait_for_selector(".row")
        press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        press("t")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "light"

    def test_tabs_are_walked_with_arrows(self, window: Window, lived: Lived) -> None:
        page = window.log_in(f"#/flows/{lived[1]['last']}")
        page.focus("#tab-talk")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#tab-request[aria-selected=true]")
        until(page, "document.activeElement.id === 'tab-request'")


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 800])
    def test_nothing_is_wider_than_the_window(self, browser: Browser, lived: Lived, scheme: str, width: int) -> None:
        world, flows = lived
        window = Window(browser, world, viewport={"width": width, "height": 700}, color_scheme=scheme)
        page = window.log_in()
        places = [
            f"#/flows/{flows[name]}/{tab}"
            for name in ("last", "evil")
            for tab in ("talk", "request", "changes", "events", "timing")
        ]
        for place in ["#/flows", *places, f"#/session/{SESSION}", "#/costs"]:
            window.go(place)
            page.wait_for_selector("main > *")
            until(page, "!document.querySelector('[aria-busy=true]')")
            wide = page.evaluate(
                "[document.documentElement, ...document.querySelectorAll('main, .panel, .page, .rows')]"
                ".filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.className)"
            )
            assert wide == [], place
        window.close()

    def test_a_narrow_window_shows_list_or_flow(self, browser: Browser, lived: Lived) -> None:
        world, flows = lived
        window = Window(browser, world, viewport={"width": 800, "height": 700})
        page = window.log_in()
        page.click(f"#row-{flows['last']}")
        page.wait_for_selector(".talk")
        assert not page.locator(".left").is_visible()
        page.click(".back")
        page.wait_for_selector(".row")
        assert not page.locator(".detail").is_visible()
        window.close()

    def test_names_and_roles(self, window: Window, lived: Lived) -> None:
        page = window.log_in(f"#/flows/{lived[1]['last']}")
        page.wait_for_selector(".talk")
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, a, input, select, [role=tab], [role=option], img, svg[role=img]')]"
            ".filter((node) => !(node.textContent.trim() || node.getAttribute('aria-label') || node.alt || node.title))"
            ".map((node) => node.outerHTML)"
        )
        assert nameless == []
        page.get_by_role("tab", name="Request").click()
        page.get_by_role("listbox", name="Flows, the newest first").focus()
        assert page.locator(".rows").get_by_role("option", selected=True).count() == 1


class TestSession:
    def test_a_timeline_with_what_was_called_and_cached(self, window: Window, lived: Lived) -> None:
        page = window.log_in(f"#/session/{SESSION}")
        page.wait_for_selector(".blame >> text=hit")
        shown = text(page, ".page")
        for said in ("subagent agent-7f", "Bash", "Edit", "87%"):
            assert said in shown
        assert page.locator(".span").count() == 6
        page.click(".turns-table a >> nth=0")
        page.wait_for_selector(".talk")
        assert lived[1]["turn 0"] in page.url

    def test_charts(self, window: Window) -> None:
        page = window.log_in("#/costs?hours=6")
        page.wait_for_selector(".chart rect.hue-0")
        assert page.locator(".chart").count() == 4
        page.select_option("select[aria-label=By]", "provider")
        page.wait_for_selector(".legend >> text=google")
        assert "by=provider" in page.url


class TestMany:
    def test_ten_thousand_flows(self, browser: Browser, tmp_path: Path) -> None:
        with world(tmp_path) as made:
            _, flow, _ = made.ask(
                {"model": "claude-x", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
            )
            made.stored(flow)
            multiply(tmp_path / "state" / "flows.db", 10_000)
            window = Window(browser, made)
            page = window.log_in()
            page.wait_for_selector(".list-status >> text=10,000 flows")
            assert page.locator(".row").count() < 60
            page.keyboard.press("j")
            rounds = 0
            while "000000000001" not in page.url:
                page.keyboard.press("G")
                page.wait_for_timeout(20)
                rounds += 1
                assert rounds < 500, page.url
            assert page.locator(".row").count() < 60
            assert page.evaluate("document.querySelector('.rows').scrollHeight") >= 10_000 * 46
            for _ in range(20):
                page.keyboard.press("k")
            page.wait_for_selector(f"#row-{21:012x}[aria-selected=true]")
            window.close()


def multiply(path: Path, wanted: int) -> None:
    """Makes the one flow of a store into many that share its bodies. The oldest has the id 000000000001."""
    with sqlite3.connect(path, timeout=PATIENCE) as connection:
        (first,) = connection.execute("SELECT seq FROM flow").fetchone()
        connection.execute("UPDATE flow SET id = printf('%012x', 1)")
        for table, key in (("flow", "seq"), ("wire", "flow")):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = {key: "? + i", "id": "printf('%012x', i + 1)"}
            chosen = ", ".join(values.get(name, f'"{name}"') for name in columns)
            names = ", ".join(f'"{name}"' for name in columns)
            connection.execute(
                f"INSERT INTO {table} ({names}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                f"SELECT {chosen} FROM n, {table} WHERE {table}.{key} = ?",
                (wanted - 1, first, first),
            )
    connection.close()
