// The list of flows: as many rows in the document as fit the window, however many there are.
//
// `running` are exchanges that have not ended, shown on top; `rows` what the store gave, newest first, fetched page by
// page as one comes near the end.

import { el, replace } from "./dom.js";
import { cached, clock, count, money, oneLine, seconds, standing, tokens } from "./format.js";

const HEIGHT = 46;
const AHEAD = 8;

export class FlowList {
  /** `choose(id)` is called when a row is chosen, `further(before)` fetches more. */
  constructor({ choose, further }) {
    this.choose = choose;
    this.further = further;
    this.running = new Map();
    this.rows = [];
    this.known = new Set();
    this.total = 0;
    this.more = false;
    this.fetching = false;
    this.selected = "";
    this.drawn = new Map();
    this.space = el("div", { class: "space" });
    this.empty = el("p", { class: "empty", hidden: true });
    this.box = el("div", {
      class: "rows",
      role: "listbox",
      tabindex: "0",
      "aria-label": "Flows, the newest first",
      on: { scroll: () => this.schedule(), click: (event) => this.clicked(event) },
    }, this.space, this.empty);
    this.status = el("div", { class: "list-status", role: "status", "aria-live": "off" });
    this.node = el("div", { class: "list" }, this.box, this.status);
    new ResizeObserver(() => this.schedule()).observe(this.box);
  }

  /** Everything anew. */
  load({ rows, total, more, running }) {
    this.rows = rows;
    this.known = new Set(rows.map((row) => row.id));
    this.total = total ?? rows.length;
    this.more = more;
    this.running = new Map(running.filter((row) => !this.known.has(row.id)).map((row) => [row.id, row]));
    this.version = (this.version ?? 0) + 1;
    this.drawn.clear();
    this.space.replaceChildren();
    this.schedule();
  }

  /** Older flows. */
  extend({ rows, more }) {
    for (const row of rows) {
      if (this.known.has(row.id)) continue;
      this.known.add(row.id);
      this.rows.push(row);
    }
    this.more = more;
    this.schedule();
  }

  /** Flows that have just been stored, and exchanges that began, go on or are gone. What is being read stays in place. */
  change({ began, progress, stored, gone }) {
    const before = this.all().length;
    for (const row of [...began, ...progress]) if (!this.known.has(row.id)) this.running.set(row.id, row);
    for (const id of gone) this.running.delete(id);
    for (const row of stored) {
      this.running.delete(row.id);
      if (this.known.has(row.id)) continue;
      this.known.add(row.id);
      this.rows.unshift(row);
      this.total += 1;
    }
    const added = this.all().length - before;
    if (added > 0 && this.box.scrollTop > HEIGHT / 2) this.box.scrollTop += added * HEIGHT;
    this.schedule();
  }

  all() {
    return this.running.size ? [...[...this.running.values()].reverse(), ...this.rows] : this.rows;
  }

  find(id) {
    return this.running.get(id) ?? this.rows.find((row) => row.id === id);
  }

  select(id, { scroll = true } = {}) {
    this.selected = id;
    if (scroll) {
      const place = this.all().findIndex((row) => row.id === id);
      if (place >= 0) this.reveal(place);
    }
    this.schedule();
  }

  /** Moves the selection by so many rows; by Infinity to the last one that is loaded. */
  move(by) {
    const all = this.all();
    if (!all.length) return;
    const place = all.findIndex((row) => row.id === this.selected);
    const next = place < 0 ? (by === Infinity ? all.length - 1 : 0) : Math.max(0, Math.min(all.length - 1, place + by));
    this.reveal(next);
    this.choose(all[next].id);
  }

  /** How many rows fit. */
  page() {
    return Math.max(1, Math.floor(this.box.clientHeight / HEIGHT) - 1);
  }

  reveal(place) {
    const top = place * HEIGHT;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + HEIGHT > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + HEIGHT - this.box.clientHeight;
  }

  clicked(event) {
    const row = event.target.closest("[data-id]");
    if (row) this.choose(row.dataset.id);
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      this.draw();
    });
  }

  draw() {
    const all = this.all();
    this.space.style.height = `${all.length * HEIGHT}px`;
    this.empty.hidden = all.length > 0;
    const from = Math.max(0, Math.floor(this.box.scrollTop / HEIGHT) - AHEAD);
    const until = Math.min(all.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / HEIGHT) + AHEAD);
    const wanted = new Map();
    for (let place = from; place < until; place++) wanted.set(all[place].id, place);
    for (const [id, entry] of this.drawn) {
      if (!wanted.has(id)) {
        entry.node.remove();
        this.drawn.delete(id);
      }
    }
    for (const [id, place] of wanted) {
      const row = all[place];
      let entry = this.drawn.get(id);
      if (!entry || entry.row !== row) {
        const node = rowNode(row);
        if (entry) entry.node.replaceWith(node);
        else this.space.append(node);
        entry = { node, row };
        this.drawn.set(id, entry);
      }
      entry.node.style.transform = `translateY(${place * HEIGHT}px)`;
      entry.node.setAttribute("aria-selected", String(id === this.selected));
      entry.node.setAttribute("aria-posinset", String(place + 1));
      entry.node.setAttribute("aria-setsize", String(this.more ? -1 : all.length));
    }
    if (this.drawn.has(this.selected)) this.box.setAttribute("aria-activedescendant", `row-${this.selected}`);
    else this.box.removeAttribute("aria-activedescendant");
    const said = count(this.total, "flow") + (this.running.size ? `, ${this.running.size} running` : "");
    if (this.status.textContent !== said) this.status.textContent = said;
    if (this.more && !this.fetching && until > all.length - 60) this.fetch();
  }

  async fetch() {
    const last = this.rows.at(-1);
    if (!last) return;
    this.fetching = true;
    const version = this.version;
    try {
      const page = await this.further(last.seq);
      if (version === this.version) this.extend(page);
    } catch {
      this.more = false; // the page says elsewhere that ccproxy does not answer
    } finally {
      this.fetching = false;
    }
    this.schedule();
  }

  say(text) {
    replace(this.empty, text);
  }
}

const WORDS = { main: "", subagent: "subagent", title: "title", count_tokens: "token count", compaction: "compaction" };

function rowNode(row) {
  const state = standing(row);
  const name = row.model || `${row.method} ${row.path}`;
  const kind = WORDS[row.kind] ?? row.kind;
  return el("div", { class: `row is-${state}${row.hit ? " is-hit" : ""}`, role: "option", id: `row-${row.id}`, data: { id: row.id } },
    el("span", { class: "dot", title: status(row) }, el("span", { class: "unseen" }, status(row))),
    el("span", { class: "what" }, name, kind && el("span", { class: "kind" }, kind)),
    el("span", { class: "num strong" }, row.running ? live(row) : flowing(row)),
    el("span", { class: "num strong cost" }, row.running ? "" : row.cost === null ? "" : money(row.cost)),
    el("span", { class: "where" }, details(row)),
    !row.hit && el("span", { class: "num" }, row.cache_read > 0 && `${cached(row)} cached`),
    !row.hit && el("span", { class: "num" }, row.running ? "running" : seconds(row.duration)),
  );
}

function status(row) {
  if (row.running) return "running";
  return row.status === null ? "no answer" : `status ${row.status}`;
}

function flowing(row) {
  if (row.input === null && row.output === null) return "";
  return [tokens(row.input), el("span", { class: "arrow", "aria-label": "in," }, "→"), tokens(row.output)];
}

function live(row) {
  return row.received ? `${tokens(row.received)}B` : "…";
}

function details(row) {
  const time = el("time", {}, clock(row.started).slice(-8));
  if (row.hit) return [time, " · ", el("span", { class: "snippet" }, marked(row.hit))];
  const state = standing(row);
  const tools = row.tools?.length ? oneLine(row.tools.join(", "), 80) : "";
  const bad = state === "bad" || state === "warn" ? el("span", { class: "bad" }, row.status ?? "no answer") : null;
  const to = row.provider || row.host;
  return [time, bad && [" · ", bad], to && ` · ${to}`, tools && [" · ", el("span", { class: "tools" }, tools)]];
}

/** The words around a match, with the match marked. */
export function marked({ snippet, marks }) {
  const characters = [...snippet];
  const found = [];
  let end = 0;
  for (const [from, until] of marks) {
    found.push(characters.slice(end, from).join(""), el("mark", {}, characters.slice(from, until).join("")));
    end = until;
  }
  found.push(characters.slice(end).join(""));
  return found;
}
