// The page: one address (the hash) says what is shown, one feed what changes, one table what the keys do.

import { Feed, get, post } from "./api.js";
import { Costs } from "./costs.js";
import { Detail } from "./detail.js";
import { append, button, el, replace } from "./dom.js";
import { Filters, NAMES } from "./filters.js";
import { makeHash, parseHash } from "./format.js";
import { FlowList } from "./list.js";
import { Session } from "./session.js";
import { nextTheme, theme } from "./theme.js";

const KEYS = [
  ["j ↓", "next flow"],
  ["k ↑", "flow before"],
  ["g  G", "newest, oldest loaded"],
  ["Enter", "read the flow"],
  ["1 … 9  [ ]", "its tabs"],
  ["Esc", "back to the list"],
  ["/", "search"],
  ["x", "no filters"],
  ["f  s  c", "flows, sessions, costs"],
  ["t", "dark, light, as the system"],
  ["?", "these keys"],
];

class Page {
  constructor() {
    this.place = parseHash(location.hash);
    this.detail = new Detail({ go: (id, tab) => this.go({ id, tab }), close: () => this.leave() });
    this.list = new FlowList({ choose: (id) => this.go({ id, tab: id === this.place.id ? this.place.tab : keep(this.place.tab) }), further: (before) => get("flows", { ...this.query(), before, limit: 500 }) });
    this.filters = new Filters((values) => this.go({ view: "flows", params: values }));
    this.session = new Session();
    this.costs = new Costs((params) => this.go({ view: "costs", id: "", tab: "", params }));
    this.state = el("span", { class: "state", role: "status" }, "…");
    this.views = new Map([["flows", "Flows"], ["session", "Sessions"], ["costs", "Costs"]].map(([view, label]) => [view, el("a", { href: makeHash({ view }) }, label)]));
    this.themeButton = button("", () => this.drawTheme(nextTheme()), { class: "quiet icon" });
    this.main = el("main", {});
    this.flows = el("div", { class: "split" }, el("div", { class: "left" }, this.filters.node, this.list.node), this.detail.node);
    this.help = help();
    this.note = el("p", { class: "banner", role: "alert", hidden: true });
    replace(document.body,
      el("a", { class: "skip", href: "#panel", on: { click: (event) => { event.preventDefault(); this.detail.panel.focus(); } } }, "To the open flow"),
      el("header", { class: "bar" },
        el("h1", {}, "ccproxy"), el("nav", { "aria-label": "Views" }, [...this.views.values()]), this.filters.search, el("span", { class: "fill" }), this.state,
        this.themeButton, button("?", () => this.help.showModal(), { class: "quiet icon", "aria-label": "Keys", title: "Keys (?)" })),
      this.note, this.main, this.help);
    this.drawTheme(theme());
    addEventListener("hashchange", () => this.shown());
    addEventListener("keydown", (event) => this.key(event));
    this.shown();
    this.feed = new Feed({ resync: () => this.reload(), changes: (value) => this.changed(value), state: (word) => this.connection(word) });
    this.loadState();
  }

  query() {
    return Object.fromEntries(NAMES.map((name) => [name, this.filterValues()[name]]).filter(([, value]) => value));
  }

  filterValues() {
    return this.place.view === "flows" ? this.place.params : this.kept ?? {};
  }

  /** Shows another place; what is not said stays. */
  go(change) {
    const next = { ...this.place, ...change };
    if (change.view && change.view !== this.place.view && !("id" in change)) Object.assign(next, { id: "", tab: "" });
    const hash = makeHash(next);
    if (hash === location.hash) return;
    // The list is walked through without filling the history; views and tabs can be gone back to.
    if (next.view === this.place.view && this.place.id && next.id) {
      history.replaceState(null, "", hash);
      this.shown();
    } else location.hash = hash;
  }

  leave() {
    this.go({ id: "", tab: "" });
    this.list.box.focus();
  }

  async shown() {
    if (ticketInAddress()) return;
    const before = this.place;
    if (before.view === "flows") this.kept = before.params;
    this.place = parseHash(location.hash);
    const { view, id, tab, params } = this.place;
    for (const [name, link] of this.views) link.setAttribute("aria-current", name === view ? "page" : "false");
    this.views.get("flows").href = makeHash({ params: this.filterValues() });
    const node = { flows: this.flows, session: this.session.node, costs: this.costs.node }[view];
    if (this.main.firstChild !== node) replace(this.main, node);
    document.title = view === "flows" ? "ccproxy" : `${this.views.get(view).textContent} · ccproxy`;
    if (view === "session") await this.session.show(id);
    else if (view === "costs") await this.costs.show(params);
    else {
      this.filters.show(params);
      this.flows.classList.toggle("reading", Boolean(id));
      const same = JSON.stringify(this.loaded) === JSON.stringify(this.query());
      this.list.select(id, { scroll: id !== before.id });
      if (id) this.detail.open(id, tab);
      else this.detail.idle();
      if (!same) await this.load();
    }
  }

  /** The list from its beginning. */
  async load() {
    const query = this.query();
    this.loaded = query;
    try {
      const page = await get("flows", { ...query, limit: 200 });
      if (this.loaded !== query) return;
      const filtered = Object.keys(query).length > 0;
      if (filtered) page.running = page.running.filter((row) => matches(row, query));
      this.list.say(filtered ? "No flow matches." : "Nothing has been recorded yet. Point a client at the proxy: ccproxy run -- claude");
      this.list.load(page);
      this.list.select(this.place.id, { scroll: true });
      this.say("");
    } catch (error) {
      this.failed(error);
    }
  }

  async reload() {
    this.offerFacets();
    await this.load();
  }

  offerFacets() {
    const now = Date.now();
    if (this.offered && now - this.offered < 5000) return;
    this.offered = now;
    get("facets").then((facets) => this.filters.offer(facets)).catch((error) => this.failed(error));
  }

  changed(change) {
    const query = this.query();
    if (Object.keys(query).length) {
      this.list.change({ ...change, began: change.began.filter((row) => matches(row, query)), progress: change.progress.filter((row) => matches(row, query)), stored: change.stored.filter((row) => !query.text && !query.tool && matches(row, query)) });
      if (change.stored.length && (query.text || query.tool)) {
        clearTimeout(this.later);
        this.later = setTimeout(() => this.load(), 1000);
      }
    } else this.list.change(change);
    const { id } = this.place;
    if (this.place.view === "flows" && id) {
      if (change.stored.some((row) => row.id === id)) this.detail.progress(true);
      else if (change.progress.some((row) => row.id === id)) this.detail.progress(false);
    }
    if (change.stored.length) this.offerFacets();
    if (change.stored.length && this.place.view === "session" && change.stored.some((row) => row.session === this.place.id)) {
      clearTimeout(this.sessionLater);
      this.sessionLater = setTimeout(() => this.place.view === "session" && this.session.show(this.place.id), 1500);
    }
  }

  connection(word) {
    this.state.className = `state is-${word}`;
    replace(this.state, { live: "live", lost: "not connected", out: "logged out" }[word]);
    if (word === "out") location.reload();
    if (word === "live") this.loadState();
  }

  async loadState() {
    try {
      const state = await get("state");
      this.state.title = `ccproxy ${state.version} on port ${state.port}`;
      this.say(state.recording.on ? "" : `Nothing is being recorded: ${state.recording.problem}`);
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) location.reload();
    else this.say(`${error.message}${error.hint ? ` (${error.hint})` : ""}`);
  }

  say(text) {
    this.note.hidden = !text;
    replace(this.note, text);
  }

  drawTheme(name) {
    replace(this.themeButton, { auto: "◐", light: "○", dark: "●" }[name]);
    const label = `Theme: ${name === "auto" ? "as the system" : name}`;
    this.themeButton.setAttribute("aria-label", label);
    this.themeButton.title = `${label} (t)`;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") {
      if (this.help.open) return;
      if (typing === this.filters.search && this.filters.search.value) this.filters.search.value = "", this.filters.set("text", "");
      else if (typing) typing.blur();
      else if (this.place.view === "flows" && this.place.id) this.leave();
      else return;
      event.preventDefault();
      return;
    }
    if (typing === this.filters.search && ["Enter", "ArrowDown"].includes(event.key)) {
      this.list.box.focus();
      if (!this.place.id) this.list.move(1);
      event.preventDefault();
      return;
    }
    if (typing || this.help.open) return;
    const flows = this.place.view === "flows";
    const inPanel = event.target.closest?.(".panel");
    const onControl = event.target.closest?.("button, a, summary, [role=row]");
    const actions = {
      j: () => flows && this.list.move(1),
      k: () => flows && this.list.move(-1),
      ArrowDown: () => flows && !inPanel && this.list.move(1),
      ArrowUp: () => flows && !inPanel && this.list.move(-1),
      PageDown: () => flows && !inPanel && this.list.move(this.list.page()),
      PageUp: () => flows && !inPanel && this.list.move(-this.list.page()),
      Home: () => flows && !inPanel && this.list.move(-Infinity),
      End: () => flows && !inPanel && this.list.move(Infinity),
      g: () => flows && this.list.move(-Infinity),
      G: () => flows && this.list.move(Infinity),
      Enter: () => flows && !onControl && this.place.id && (this.detail.panel.focus(), true),
      "[": () => flows && this.detail.step({ by: -1 }),
      "]": () => flows && this.detail.step({ by: 1 }),
      ArrowLeft: () => event.target.role === "tab" && this.tab(-1),
      ArrowRight: () => event.target.role === "tab" && this.tab(1),
      "/": () => { if (!flows) this.go({ view: "flows", id: "", params: this.kept ?? {} }); this.filters.search.focus(); this.filters.search.select(); },
      x: () => flows && this.filters.reset(),
      f: () => this.go({ view: "flows", params: this.kept ?? {} }),
      s: () => this.go({ view: "session", params: {} }),
      c: () => this.go({ view: "costs", params: {} }),
      t: () => this.drawTheme(nextTheme()),
      "?": () => this.help.showModal(),
    };
    const action = /^[1-9]$/.test(event.key) && flows ? () => this.detail.step({ place: Number(event.key) - 1 }) : actions[event.key];
    if (action && action() !== false) event.preventDefault();
  }

  tab(by) {
    this.detail.step({ by });
    requestAnimationFrame(() => this.detail.tabs.querySelector("[aria-selected=true]")?.focus());
    return true;
  }
}

/** A tab that the next flow is likely to have, too. */
function keep(tab) {
  return ["talk", "request", "headers", "timing", "changes", "forwarded", "response", "events"].includes(tab) ? tab : "";
}

/** Whether a row belongs to what the simple filters choose. */
function matches(row, query) {
  const status = query.status ?? "";
  if (["model", "provider", "session", "conversation", "kind"].some((name) => query[name] && row[name] !== query[name])) return false;
  if (status === "error") return !row.running && (row.status >= 400 || row.outcome !== "complete");
  if (/^\dxx$/.test(status)) return Math.floor((row.status ?? 0) / 100) === Number(status[0]);
  return !status || String(row.status) === status;
}

function help() {
  const node = el("dialog", { class: "help", "aria-label": "Keys" });
  append(node, [el("h2", {}, "Keys"), el("dl", {}, KEYS.map(([keys, what]) => el("div", {}, el("dt", {}, keys.split(/\s+/).map((key) => el("kbd", {}, key))), el("dd", {}, what)))), button("Close", () => node.close(), {})]);
  node.addEventListener("click", (event) => event.target === node && node.close());
  return node;
}

/** For who is not logged in. */
function door(message) {
  replace(document.body, el("main", { class: "door" }, el("h1", {}, "ccproxy"), el("p", { role: "alert" }, message),
    el("p", {}, "Ask for a link in a terminal:"), el("pre", {}, "ccproxy inspector --open"), el("p", { class: "aside" }, "A link works once, for five minutes; then this browser stays logged in.")));
}

/** The ticket in the address, or undefined. */
function ticketInAddress() {
  return /^#login=([\w.]+)$/.exec(location.hash)?.[1];
}

async function begin() {
  theme();
  // A link that is opened where the page is shown already changes nothing but the hash.
  addEventListener("hashchange", () => ticketInAddress() && location.reload());
  const ticket = ticketInAddress();
  if (ticket) {
    history.replaceState(null, "", "/");
    try {
      await post("login", { ticket });
    } catch (error) {
      // A link that was used before is no matter for who is logged in.
      try {
        await get("state");
      } catch {
        door(error.message);
        return;
      }
    }
  }
  try {
    await get("state");
  } catch (error) {
    door(error.status === 401 ? "You are not logged in." : error.message);
    return;
  }
  new Page();
}

begin();
