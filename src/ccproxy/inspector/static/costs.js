// What it costs: charts and sums over time, by model or provider.

import { get } from "./api.js";
import { columns, legend } from "./charts.js";
import { el, replace } from "./dom.js";
import { makeHash, money, seconds, tokens } from "./format.js";

const SPANS = [["1", "last hour"], ["6", "6 hours"], ["24", "24 hours"], ["168", "7 days"], ["336", "14 days"], ["720", "30 days"]];

export class Costs {
  constructor(go) {
    this.go = go;
    this.node = el("section", { class: "page", "aria-label": "Costs", tabindex: "0" });
  }

  async show(params) {
    const by = params.by === "provider" ? "provider" : "model";
    const hours = SPANS.some(([value]) => value === params.hours) ? params.hours : "24";
    const until = Math.ceil(Date.now() / 1000);
    const ahead = 43_200 - new Date().getTimezoneOffset() * 60;
    let data;
    try {
      data = await get("series", { by, since: until - hours * 3600, until, ahead });
    } catch (error) {
      replace(this.node, el("p", { class: "notice", role: "alert" }, error.message, error.hint && ` (${error.hint})`));
      return;
    }
    const choose = (name, value) => this.go({ ...params, [name]: value });
    replace(this.node,
      el("header", { class: "page-head" }, el("h2", {}, "Costs and tokens"), el("span", { class: "fill" }),
        select("By", [["model", "by model"], ["provider", "by provider"]], by, (value) => choose("by", value)),
        select("Over", SPANS, hours, (value) => choose("hours", value))),
      data.names.length ? [
        legend(data.names),
        el("div", { class: "charts" },
          columns({ title: "Cost", data, value: (column, name) => column.values[name][1], format: money }),
          columns({ title: "Requests", data, value: (column, name) => column.values[name][0], format: (number) => number.toLocaleString("en") }),
          columns({ title: "Prompt tokens", data, value: (column, name) => column.values[name][2], format: tokens }),
          columns({ title: "Answer tokens", data, value: (column, name) => column.values[name][3], format: tokens })),
        sums(data, by),
        el("p", { class: "aside" }, "Costs are list prices; requests whose price is not known are counted apart."),
      ] : el("p", { class: "nothing" }, "Nothing was asked in this time."));
  }
}

function select(label, options, value, changed) {
  const node = el("select", { "aria-label": label, on: { change: () => changed(node.value) } }, options.map(([one, text]) => el("option", { value: one, selected: one === value }, text)));
  return node;
}

function sums(data, by) {
  const heads = ["", "Requests", "Errors", "In", "Cached", "Out", "Cost", "No price", "First content", "Tokens/s"];
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Sums" }, el("table", { class: "sums" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, data.totals.map((row) => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: makeHash({ params: { [by]: row.name } }) }, row.name)),
    cell(row.requests.toLocaleString("en")), cell(row.errors || "", row.errors ? "bad" : ""), cell(tokens(row.tokens.input)),
    cell(row.cached === null ? "" : `${Math.round(row.cached * 100)}%`), cell(tokens(row.tokens.output)), cell(money(row.cost)), cell(row.unpriced || ""),
    cell(row.ttft?.p50 === undefined || row.ttft?.p50 === null ? "" : seconds(row.ttft.p50)), cell(row.tokens_per_second?.p50 ? row.tokens_per_second.p50.toFixed(0) : ""))))));
}

function cell(value, name = "") {
  return el("td", { class: `num ${name}` }, value);
}
