// A session: its threads over time, subagents below who started them, and its turns with tokens, tools, cost and what
// became of the prompt cache.

import { get } from "./api.js";
import { el, replace, svg } from "./dom.js";
import { cached, clock, count, makeHash, money, oneLine, seconds, standing, ticks, tokens } from "./format.js";
import { lanes } from "./lanes.js";

const MOST_LANES = 60;

export class Session {
  constructor() {
    this.node = el("section", { class: "page", "aria-label": "Session", tabindex: "0" });
    this.id = "";
  }

  async show(id) {
    this.id = id;
    try {
      if (!id) {
        await this.choose();
        return;
      }
      const found = await get("session", { id });
      if (this.id !== id) return;
      if (!found.rows.length) {
        replace(this.node, el("p", { class: "nothing" }, "Nothing is recorded of this session."));
        return;
      }
      this.draw(found, null);
      const blame = await get("cache", { id });
      if (this.id === id) this.draw(found, blame);
    } catch (error) {
      if (this.id === id) replace(this.node, el("p", { class: "notice", role: "alert" }, error.message, error.hint && ` (${error.hint})`));
    }
  }

  async choose() {
    const facets = await get("facets");
    replace(this.node, el("header", { class: "page-head" }, el("h2", {}, "Sessions")), facets.session.length
      ? el("ul", { class: "session-list" }, facets.session.map(([session, flows]) => el("li", {}, el("a", { href: makeHash({ view: "session", id: session }) }, session), el("span", { class: "num aside" }, count(flows, "flow")))))
      : el("p", { class: "nothing" }, "No session is recorded."));
  }

  draw(found, blame) {
    const { rows } = found;
    const lost = new Map((blame?.turns ?? []).map((turn) => [turn.id, turn]));
    const top = this.node.scrollTop;
    replace(this.node,
      el("header", { class: "page-head" }, el("h2", {}, "Session ", el("code", {}, found.session)), el("span", { class: "fill" }), el("a", { class: "quiet", href: makeHash({ params: { session: found.session } }) }, "List its flows")),
      totals(rows, blame),
      timeline(rows),
      turns(rows, lost, Boolean(blame)),
      found.total > rows.length && el("p", { class: "aside" }, `The newest ${rows.length} of ${found.total.toLocaleString("en")} flows.`));
    this.node.scrollTop = top;
  }
}

function totals(rows, blame) {
  const sum = (name) => rows.reduce((all, row) => all + (row[name] ?? 0), 0);
  const input = sum("input");
  const priced = rows.filter((row) => row.cost !== null);
  const begin = Math.min(...rows.map((row) => row.started));
  const end = Math.max(...rows.map((row) => row.started + row.duration));
  const tools = rows.reduce((all, row) => all + row.tools.length, 0);
  const failed = rows.filter((row) => standing(row) === "bad").length;
  return el("dl", { class: "summary wide" },
    fact("began", clock(begin)), fact("lasted", seconds(end - begin)), fact("requests", rows.length), failed > 0 && fact("failed", el("span", { class: "bad" }, failed)),
    fact("in", tokens(input)), fact("cached", input ? `${Math.round((100 * sum("cache_read")) / input)}%` : ""), fact("out", tokens(sum("output"))),
    fact("tools called", tools || ""), fact("cost", priced.length ? money(sum("cost")) : ""),
    blame?.lost ? fact("lost by the cache", [tokens(blame.lost), blame.dollars ? el("span", { class: "aside" }, ` ${money(blame.dollars)}`) : null]) : null);
}

function fact(name, value) {
  if (value === "" || value === null || value === undefined) return null;
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function timeline(rows) {
  const all = lanes(rows);
  const shown = all.slice(0, MOST_LANES);
  const begin = Math.min(...rows.map((row) => row.started));
  const whole = Math.max(0.001, Math.max(...rows.map((row) => row.started + row.duration)) - begin);
  const width = Math.max(560, Math.min(1240, innerWidth - 48)); // so that letters are as large as elsewhere
  const left = 170;
  const scale = (at) => left + (at / whole) * (width - left - 10);
  const height = shown.length * 24 + 26;
  return el("figure", { class: "chart timeline" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Timeline of ${count(rows.length, "request")} in ${count(all.length, "thread")}` },
      ticks(whole, 6).filter((at) => at <= whole).map((at) => [
        svg("line", { x1: scale(at), x2: scale(at), y1: 0, y2: height - 22, class: "grid" }),
        svg("text", { x: scale(at), y: height - 6, class: "axis", "text-anchor": "middle" }, seconds(at)),
      ]),
      shown.map((lane, place) => [
        svg("text", { x: 4 + lane.depth * 12, y: place * 24 + 17, class: "label" }, `${lane.depth ? "└ " : ""}${lane.name}`),
        lane.rows.map((row) => svg("a", { href: makeHash({ id: row.id }), "aria-label": `${row.model}, ${seconds(row.duration)}` },
          svg("rect", { x: scale(row.started - begin), y: place * 24 + 5, width: Math.max(2.5, scale(row.duration) - left), height: 15, rx: 2, class: `span is-${standing(row)}` },
            svg("title", {}, [row.model, `${tokens(row.input)} → ${tokens(row.output)}`, cached(row) && `${cached(row)} cached`, money(row.cost), seconds(row.duration), row.tools.join(", ")].filter(Boolean).join("\n"))))),
      ])),
    all.length > shown.length && el("figcaption", {}, `${all.length - shown.length} more threads`));
}

const BLAMED = {
  client: "the client changed it",
  hook: "a hook changed it",
  conversion: "the conversion changed it",
  proxy: "ccproxy changed it",
  model: "another model",
  provider: "another provider",
  credential: "another credential",
  expired: "it had expired",
  breakpoints: "no breakpoint",
  too_short: "too short a prompt",
  in_flight: "asked before it was there",
  unexplained: "unexplained",
};

function turns(rows, lost, blamed) {
  const heads = ["Time", "Thread", "Model", "Tools", "In", "Cached", "Out", "Cost", "Took", "Cache"];
  const depth = new Map(lanes(rows).flatMap((lane) => lane.rows.map((row) => [row.id, lane])));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Turns" }, el("table", { class: "sums turns-table" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => {
      const lane = depth.get(row.id);
      return el("tr", { class: `is-${standing(row)}` },
        el("th", { scope: "row" }, el("a", { href: makeHash({ id: row.id }) }, clock(row.started).slice(-8))),
        el("td", { class: "thread", style: { "padding-inline-start": `${8 + lane.depth * 14}px` } }, lane.name),
        el("td", {}, row.model),
        el("td", { class: "tools" }, oneLine(row.tools.join(", "), 60)),
        el("td", { class: "num" }, tokens(row.input)),
        el("td", { class: "num" }, share(row)),
        el("td", { class: "num" }, tokens(row.output)),
        el("td", { class: "num" }, row.cost === null ? "" : money(row.cost)),
        el("td", { class: "num" }, seconds(row.duration)),
        el("td", { class: "blame" }, verdict(lost.get(row.id), blamed)));
    }))));
}

function share(row) {
  const text = cached(row);
  if (!text) return "";
  return [el("span", { class: "meter", "aria-hidden": "true" }, el("span", { style: { width: text } })), text];
}

function verdict(turn, blamed) {
  if (!blamed) return "";
  if (!turn) return "";
  if (turn.verdict === "hit") return el("span", { class: "good" }, "hit");
  if (turn.verdict === "first") return el("span", { class: "aside" }, "first");
  if (turn.verdict === "unknown") return el("span", { class: "aside", title: why(turn) }, turn.cause ? said(turn) : "–");
  return el("span", { class: "bad", title: why(turn) }, `−${tokens(turn.lost)} `, said(turn), turn.dollars ? ` ${money(turn.dollars)}` : "");
}

function why(turn) {
  const { cause } = turn;
  return [cause && `${cause.who}: ${cause.what}`, cause?.part, cause?.path, turn.note].filter(Boolean).join("\n") || null;
}

function said(turn) {
  return turn.cause ? BLAMED[turn.cause.kind] ?? turn.cause.kind : "";
}
