// When what happened, who was asked, and why: the way of one request.

import { el, svg } from "./dom.js";
import { clock, seconds, ticks } from "./format.js";

export function timing(facts) {
  return el("div", { class: "timing" }, waterfall(facts), tries(facts), hooks(facts), about(facts));
}

/** The phases of the exchange: name, begin and end in seconds since its start. */
export function phases(facts) {
  const { request, forwarded, response, ttfb, ttft, duration } = facts;
  const last = facts.timings?.last;
  const found = [];
  const read = request.end ?? 0;
  if (request.end !== null) found.push(["request read", 0, read, "client"]);
  const sent = forwarded?.end ?? read;
  if (forwarded && sent > read) found.push(["sent on", read, sent, "own"]);
  const begin = ttfb ?? response?.begin;
  if (forwarded && begin !== null && begin !== undefined) found.push(["waiting for the provider", sent, begin, "wait"]);
  if (begin !== null && begin !== undefined) {
    if (ttft !== null && ttft !== undefined && ttft > begin) found.push(["before the first content", begin, ttft, "think"]);
    found.push([facts.streaming ? "streaming" : "answer", Math.max(begin, ttft ?? 0), last ?? duration, "answer"]);
  }
  return found;
}

function waterfall(facts) {
  const list = phases(facts);
  const whole = Math.max(facts.duration, ...list.map(([, , end]) => end), 0.001);
  const left = 190;
  const right = 90;
  const width = 760;
  const scale = (at) => left + (at / whole) * (width - left - right);
  const height = list.length * 26 + 30;
  return el("figure", { class: "chart" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Phases of an exchange of ${seconds(whole)}` },
    ticks(whole).filter((at) => at <= whole * 1.02).map((at) => [
      svg("line", { x1: scale(at), x2: scale(at), y1: 0, y2: height - 24, class: "grid" }),
      svg("text", { x: scale(at), y: height - 8, class: "axis", "text-anchor": "middle" }, seconds(at)),
    ]),
    list.map(([name, begin, end, kind], place) => [
      svg("text", { x: left - 12, y: place * 26 + 18, class: "label", "text-anchor": "end" }, name),
      svg("rect", { x: scale(begin), y: place * 26 + 6, width: Math.max(2, scale(end) - scale(begin)), height: 16, rx: 2, class: `phase-${kind}` }),
      svg("text", { x: Math.min(scale(end) + 6, width - right + 6), y: place * 26 + 18, class: "value" }, seconds(end - begin)),
    ])));
}

function tries(facts) {
  if (!facts.story.length) return null;
  return el("section", {}, el("h3", { class: "between" }, "Tries"), el("ol", { class: "notes" }, facts.story.map((step) => el("li", {},
    el("strong", {}, step.provider), step.credential && el("span", { class: "aside" }, ` with ${step.credential}`), step.status ? ` answered ${step.status}` : "", step.problem && [" ", el("span", { class: "bad" }, step.problem)],
    step.then && `, then ${step.then}`, el("span", { class: "aside" }, ` ${seconds(step.seconds)}`)))));
}

function hooks(facts) {
  if (!facts.all_hooks.length) return null;
  return el("section", {}, el("h3", { class: "between" }, "Hooks"), el("table", { class: "fields" }, el("tbody", {}, facts.all_hooks.map((hook) => el("tr", {},
    el("th", { scope: "row" }, hook.name), el("td", {}, hook.stage), el("td", { class: "num" }, `${hook.ms.toFixed(2)} ms`),
    el("td", {}, hook.error ? el("span", { class: "bad" }, hook.error) : hook.changed?.length ? hook.changed.join(", ") : el("span", { class: "aside" }, "changed nothing")))))));
}

function about(facts) {
  const rows = [
    ["Client", `${facts.client.address}:${facts.client.port}${facts.client.key ? `, key ${facts.client.key}` : ""}`],
    ["User agent", facts.client.user_agent],
    ["Process", facts.process],
    ["Run", facts.run],
    ["Route", [facts.action, facts.reason && ` (${facts.reason})`]],
    ["Credential", facts.credential],
    ["Started", clock(facts.started)],
    ["Session", facts.session],
    ["Conversation", facts.conversation],
    ["Parent", facts.parent],
    ["Operation", [facts.dialect, facts.operation].filter(Boolean).join(" ")],
  ];
  return el("section", {}, el("h3", { class: "between" }, "About"), el("table", { class: "fields" }, el("tbody", {}, rows.filter(([, value]) => value && String(value) !== ",").map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value))))));
}
