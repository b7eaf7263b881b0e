// The events of a streamed answer, and the messages of a WebSocket, in the order and at the times they came.

import { append, button, el, svg } from "./dom.js";
import { bytes, count, oneLine, seconds } from "./format.js";
import { parse, tree } from "./json.js";

const AT_ONCE = 500;

export function events(found, further) {
  if (!found.stream) return el("p", { class: "aside" }, "The answer is no stream.");
  const all = found.events;
  const table = el("div", { class: "events", role: "table", "aria-label": "Events" });
  const node = el("div", {}, el("p", { class: "lead" }, count(found.count, "event"), all.some((one) => one.at !== null && one.at !== undefined) ? null : "; when they came was not recorded", "."), strip(all), table);
  let shown = 0;
  const show = () => {
    const until = Math.min(all.length, shown + AT_ONCE);
    for (; shown < until; shown++) table.append(eventNode(all[shown], shown, all[shown - 1]));
    if (shown < found.count) {
      const more = button(`Show ${Math.min(AT_ONCE, found.count - shown)} more of ${count(found.count, "event")}`, async () => {
        if (shown === all.length) append(all, (await further(all.length)).events.map((one) => { all.push(one); return null; }));
        more.remove();
        show();
      }, { class: "more wide" });
      node.append(more);
    }
  };
  show();
  return node;
}

/** Where in time the events are. */
function strip(all) {
  const times = all.map((one) => one.at).filter((at) => at !== null && at !== undefined);
  if (times.length < 2) return null;
  const last = times.at(-1) || 1;
  const path = times.map((at) => `M${((at / last) * 998 + 1).toFixed(1)} 4V20`).join("");
  return el("figure", { class: "strip" }, svg("svg", { viewBox: "0 0 1000 24", preserveAspectRatio: "none", role: "img", "aria-label": `Events over ${seconds(last)}` }, svg("path", { d: path, class: "strip-line" })),
    el("figcaption", {}, el("span", {}, "0"), el("span", {}, `first after ${seconds(times[0])}`), el("span", {}, seconds(last))));
}

function eventNode(event, place, before) {
  const gap = event.at !== null && event.at !== undefined && before?.at !== null && before?.at !== undefined ? event.at - before.at : null;
  const data = el("span", { class: "data mono", role: "cell" }, oneLine(event.text, 240));
  const row = el("div", { class: event.comment ? "event is-comment" : "event", role: "row" },
    el("span", { class: "num", role: "cell" }, place + 1),
    el("span", { class: "num", role: "cell" }, event.at === null || event.at === undefined ? "" : seconds(event.at)),
    el("span", { class: gap > 1 ? "num slow" : "num aside", role: "cell" }, gap === null ? "" : `+${seconds(gap)}`),
    el("span", { class: "event-name", role: "cell" }, event.comment ? "comment" : event.name || ""),
    data);
  return opening(row, event.text, event.size);
}

/** A row that shows its whole content when it is clicked. */
function opening(row, text, size) {
  let body = null;
  const toggle = () => {
    if (body) {
      body.remove();
      body = null;
    } else {
      body = el("div", { class: "opened" }, size > text.length * 4 || text.length >= 20000 ? el("p", { class: "aside" }, `the beginning of ${bytes(size)}`) : null, whole(text));
      row.after(body);
    }
    row.setAttribute("aria-expanded", String(Boolean(body)));
  };
  row.tabIndex = 0;
  row.setAttribute("aria-expanded", "false");
  row.addEventListener("click", toggle);
  row.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      event.stopPropagation();
      toggle();
    }
  });
  return row;
}

function whole(text) {
  try {
    const value = parse(text);
    if (value !== null && typeof value === "object") return tree(value, { depth: 4 });
  } catch {
    // no JSON: as it is
  }
  return el("pre", { class: "code-text" }, text);
}

export function messages(found) {
  const table = el("div", { class: "events", role: "table", "aria-label": "Messages" });
  const node = el("div", {}, el("p", { class: "lead" }, count(found.count, "message"), found.truncated && "; only the beginning was kept", "."), table);
  let shown = 0;
  const show = () => {
    const until = Math.min(found.messages.length, shown + AT_ONCE);
    for (; shown < until; shown++) {
      const one = found.messages[shown];
      table.append(opening(el("div", { class: one.from_client ? "event message-up" : "event message-down", role: "row" },
        el("span", { class: "num", role: "cell" }, shown + 1),
        el("span", { class: "num", role: "cell" }, seconds(one.at)),
        el("span", { class: "num aside", role: "cell" }, bytes(one.size)),
        el("span", { class: "event-name", role: "cell" }, one.from_client ? "↑ client" : "↓ server"),
        el("span", { class: "data mono", role: "cell" }, oneLine(one.body, 240))), one.body, one.size));
    }
    if (shown < found.messages.length) {
      const more = button("Show more", () => {
        more.remove();
        show();
      }, { class: "more wide" });
      node.append(more);
    }
  };
  show();
  return node;
}
