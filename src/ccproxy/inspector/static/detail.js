// One flow: its heading, its tabs, and what each tab shows. A tab asks the server when it is first opened.

import { get } from "./api.js";
import { conversation } from "./conversation.js";
import { difference } from "./difference.js";
import { append, button, copy, el, fold, replace } from "./dom.js";
import { bytes, cached, clock, count, makeHash, money, outcome, seconds, standing, tokens } from "./format.js";
import { coloured, parse, tree } from "./json.js";
import { events, messages } from "./streams.js";
import { timing } from "./timing.js";

const TABS = [
  ["talk", "Conversation"],
  ["request", "Request"],
  ["forwarded", "Forwarded"],
  ["changes", "Changes"],
  ["response", "Response"],
  ["events", "Events"],
  ["messages", "Messages"],
  ["headers", "Headers"],
  ["timing", "Timing"],
];

export class Detail {
  /** `go(id, tab)` shows another place, `close()` goes back to the list. */
  constructor({ go, close }) {
    this.go = go;
    this.close = close;
    this.id = "";
    this.tab = "";
    this.head = el("header", { class: "flow-head" });
    this.tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Views of the flow" });
    this.panel = el("div", { class: "panel", role: "tabpanel", tabindex: "0", id: "panel" });
    this.node = el("section", { class: "detail", "aria-label": "Flow" }, this.head, this.tabs, this.panel);
    this.idle();
  }

  idle() {
    this.id = "";
    this.facts = null;
    this.wanted = null;
    this.busy(false);
    replace(this.head);
    replace(this.tabs);
    replace(this.panel, el("div", { class: "nothing" }, el("p", {}, "No flow is open."), el("p", { class: "aside" }, el("kbd", {}, "j"), " ", el("kbd", {}, "k"), " move, ", el("kbd", {}, "/"), " searches, ", el("kbd", {}, "?"), " lists all keys.")));
  }

  /** Opens a flow at a tab; "" is the first that fits. */
  async open(id, tab) {
    const other = id !== this.id;
    if (other) {
      this.id = id;
      this.facts = null;
      this.wanted = null;
      this.busy(true);
      this.cache = new Map();
      this.updates = null;
      this.stop?.abort();
      this.stop = new AbortController();
    }
    this.tab = tab;
    try {
      const mine = this.stop.signal;
      if (!this.facts) {
        const facts = await get(`flows/${id}`, {}, mine);
        if (mine.aborted) return;
        this.facts = facts;
        const { wanted } = this;
        if (wanted) {
          this.step(wanted);
          if (this.tab !== tab) return;
        }
      }
      this.draw();
    } catch (error) {
      if (error.name !== "AbortError" && id === this.id) this.failed(error);
    }
  }

  /** Whether what is asked for is still on its way. */
  busy(is) {
    this.panel.setAttribute("aria-busy", String(is));
  }

  failed(error) {
    this.busy(false);
    replace(this.head);
    replace(this.tabs);
    replace(this.panel, el("div", { class: "nothing" }, el("p", { role: "alert" }, error.message), error.hint && el("p", { class: "aside" }, error.hint)));
  }

  /** The open flow runs, and there is more of its answer; or it has ended. */
  async progress(ended) {
    if (!this.id || this.refreshing) {
      this.again = this.id ? this.again || (ended ? "ended" : "more") : null;
      return;
    }
    this.refreshing = true;
    const { id, stop } = this;
    try {
      if (ended) {
        const facts = await get(`flows/${id}`, {}, stop.signal);
        if (id !== this.id) return;
        this.facts = facts;
        this.cache.clear();
        const top = this.panel.scrollTop;
        const low = this.atEnd();
        await this.draw();
        this.panel.scrollTop = low ? this.panel.scrollHeight : top;
      } else if (this.updates) {
        const found = await get(`flows/${id}/answer`, {}, stop.signal);
        if (id !== this.id || !this.updates) return;
        const low = this.atEnd();
        this.updates(found.answer);
        if (low) this.panel.scrollTop = this.panel.scrollHeight;
      }
    } catch {
      // gone in between, or out of reach: the next message of the feed brings it
    } finally {
      this.refreshing = false;
      const { again } = this;
      this.again = null;
      if (again && id === this.id) setTimeout(() => this.progress(again === "ended"), 120);
    }
  }

  atEnd() {
    return this.panel.scrollTop + this.panel.clientHeight > this.panel.scrollHeight - 80;
  }

  available() {
    const { facts } = this;
    return TABS.filter(([name]) => {
      if (name === "forwarded" || name === "changes") return facts.forwarded;
      if (name === "response") return facts.response || facts.answer;
      if (name === "events") return facts.streaming && facts.response;
      if (name === "messages") return facts.messages;
      if (name === "talk") return facts.dialect && !facts.messages;
      return true;
    });
  }

  async draw() {
    const { facts } = this;
    const tabs = this.available();
    if (!tabs.some(([name]) => name === this.tab)) this.tab = tabs[0][0];
    replace(this.head, heading(facts, this.close));
    replace(this.tabs, tabs.map(([name, label], place) => el("button", {
      type: "button",
      role: "tab",
      id: `tab-${name}`,
      "aria-selected": String(name === this.tab),
      "aria-controls": "panel",
      tabindex: name === this.tab ? "0" : "-1",
      title: `${label} (${place + 1})`,
      on: { click: () => this.go(this.id, name) },
    }, label, badge(name, facts))));
    this.panel.setAttribute("aria-labelledby", `tab-${this.tab}`);
    const { id, tab } = this;
    if (this.cache.has(tab)) {
      replace(this.panel, this.cache.get(tab));
      this.panel.scrollTop = 0;
      this.busy(false);
      return;
    }
    this.busy(true);
    const late = setTimeout(() => id === this.id && tab === this.tab && replace(this.panel, el("p", { class: "aside loading" }, "Loading…")), 150);
    try {
      const node = await this.content(tab, facts);
      if (id !== this.id || tab !== this.tab) return;
      if (!facts.outcome || facts.outcome !== "pending") this.cache.set(tab, node);
      replace(this.panel, node);
      this.panel.scrollTop = 0;
    } catch (error) {
      if (error.name !== "AbortError" && id === this.id) replace(this.panel, el("p", { class: "notice", role: "alert" }, error.message, error.hint && ` (${error.hint})`));
    } finally {
      clearTimeout(late);
      if (id === this.id && tab === this.tab) this.busy(false);
    }
  }

  /** Another tab, by its place or in a direction; of a flow that is on its way, when it is there. */
  step({ place, by }) {
    if (!this.facts) {
      this.wanted = { place, by };
      return;
    }
    this.wanted = null;
    const tabs = this.available().map(([name]) => name);
    const next = place !== undefined ? tabs[place] : tabs[(tabs.indexOf(this.tab) + by + tabs.length) % tabs.length];
    if (next) this.go(this.id, next);
  }

  async content(tab, facts) {
    const { signal } = this.stop;
    const path = `flows/${facts.id}`;
    this.updates = null;
    switch (tab) {
      case "talk": {
        const running = facts.outcome === "pending";
        const made = conversation(await get(`${path}/conversation`, {}, signal), { media: (number) => `/api/${path}/media/${number}`, running });
        if (running && facts.id === this.id) this.updates = made.update;
        return made.node;
      }
      case "request":
      case "forwarded":
        return message(path, tab, facts[tab], `${facts[tab].method} ${facts[tab].url}`, signal);
      case "response":
        return el("div", {}, facts.answer && el("h3", { class: "between" }, "What the client got"),
          facts.answer && await message(path, "answer", facts.answer, `${facts.answer.status} ${facts.answer.reason}`, signal),
          facts.answer && facts.response && el("h3", { class: "between" }, "What the provider sent"),
          facts.response && await message(path, "response", facts.response, `${facts.response.status} ${facts.response.reason}`, signal));
      case "changes":
        return difference(await get(`${path}/difference`, {}, signal), facts);
      case "events":
        return events(await get(`${path}/events`, {}, signal), (from) => get(`${path}/events`, { from }, signal));
      case "messages":
        return messages(await get(`${path}/messages`, {}, signal));
      case "headers":
        return headers(facts);
      default:
        return timing(facts);
    }
  }
}

function heading(facts, close) {
  const state = standing({ ...facts, running: facts.outcome === "pending" });
  const said = facts.answer ?? facts.response;
  const share = cached(facts);
  return [
    el("div", { class: "flow-title" },
      button("‹", close, { class: "back", "aria-label": "Back to the list", title: "Back to the list (Esc)" }),
      el("h2", {}, facts.model || `${facts.request.method} ${facts.request.target}`),
      facts.answer_model && facts.answer_model !== facts.model && el("span", { class: "aside" }, `answered by ${facts.answer_model}`),
      el("span", { class: `badge is-${state}` }, facts.outcome === "pending" ? "running" : said ? said.status : "no answer"),
      facts.outcome !== "complete" && facts.outcome !== "pending" && el("span", { class: "bad" }, outcome(facts.outcome)),
      el("span", { class: "fill" }),
      copy(facts.id, facts.id)),
    el("dl", { class: "summary" },
      fact("when", clock(facts.started)),
      fact("took", facts.outcome === "pending" ? "" : seconds(facts.duration)),
      fact("first content", facts.ttft === null || facts.ttft === undefined ? "" : seconds(facts.ttft)),
      fact("in", facts.input === null ? "" : [tokens(facts.input), share && el("span", { class: "aside" }, ` ${share} cached`)]),
      fact("out", facts.output === null ? "" : [tokens(facts.output), facts.reasoning ? el("span", { class: "aside" }, ` ${tokens(facts.reasoning)} thinking`) : null]),
      fact("cost", facts.cost === null ? "" : money(facts.cost)),
      fact("to", [facts.provider || facts.host, facts.upstream_dialect && el("span", { class: "aside" }, ` ${facts.dialect} → ${facts.upstream_dialect}`)]),
      fact("session", facts.session && el("a", { href: makeHash({ view: "session", id: facts.session }) }, facts.session.slice(0, 13))),
      fact("part", facts.kind && facts.kind !== "main" ? facts.kind.replaceAll("_", " ") : "")),
    facts.error && el("p", { class: "failure", role: "alert" }, facts.error),
  ];
}

function fact(name, value) {
  if (value === "" || value === null || value === undefined || value === false) return null;
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

/** What a tab holds that one should know of before opening it: what a conversion lost, or how many messages there are. */
function badge(name, facts) {
  const [number, what] = { changes: [facts.losses, "lost"], messages: [facts.messages, "messages"] }[name] ?? [0, ""];
  return number ? el("span", { class: "count", title: `${number} ${what}` }, number) : null;
}

async function message(path, role, head, line, signal) {
  const found = await get(`${path}/body/${role}`, {}, signal);
  const place = el("div", { class: "body" });
  const notes = [
    `${bytes(found.size)}${found.encoding ? ` (${found.encoding}, ${bytes(found.decoded)} decoded)` : ""}`,
    found.media_type,
    !found.whole && "not whole",
    found.redacted && "secrets were removed",
    found.binary && "binary: the beginning",
    found.cut && `${count(found.cut, "character")} more in the download`,
  ].filter(Boolean);
  let value;
  let isTree = false;
  if (found.json && !found.cut) {
    try {
      value = parse(found.text);
      isTree = true;
    } catch {
      isTree = false;
    }
  }
  const show = (asTree) => replace(place, !found.size ? el("p", { class: "aside" }, "No body.") : asTree ? tree(value)
    : found.json && found.text.length < 200_000 ? coloured(found.text) : el("pre", { class: "json-text" }, found.text));
  const form = isTree && button("Text", () => {
    const toTree = form.textContent === "Tree";
    form.textContent = toTree ? "Text" : "Tree";
    show(toTree);
  }, { class: "quiet" });
  show(isTree);
  return el("div", { class: "message" },
    el("p", { class: "request-line mono" }, line),
    el("div", { class: "toolbar" }, el("span", { class: "aside" }, notes.join(" · ")), el("span", { class: "fill" }), form, found.size > 0 && copy(() => found.text),
      found.size > 0 && el("a", { class: "quiet", href: `/api/${path}/download/${role}`, download: `${role}.txt` }, "Download")),
    fold([el("span", { class: "fold-title" }, count(head.headers.length, "header field"))], () => fields(head.headers)),
    place);
}

function headers(facts) {
  const sides = [
    ["Client request", facts.request, `${facts.request.method} ${facts.request.target} HTTP/${facts.request.http_version}`],
    ["Forwarded request", facts.forwarded, facts.forwarded && `${facts.forwarded.method} ${facts.forwarded.target} HTTP/${facts.forwarded.http_version}`],
    ["Answer of the provider", facts.response, facts.response && `HTTP/${facts.response.http_version} ${facts.response.status} ${facts.response.reason}`],
    ["Answer to the client", facts.answer, facts.answer && `HTTP/${facts.answer.http_version} ${facts.answer.status} ${facts.answer.reason}`],
  ];
  return el("div", { class: "sides" }, sides.filter(([, head]) => head).map(([title, head, line]) => el("section", {}, el("h3", { class: "between" }, title), el("p", { class: "request-line mono" }, line), fields(head.headers))));
}

function fields(list) {
  return el("table", { class: "fields" }, el("tbody", {}, list.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
}
