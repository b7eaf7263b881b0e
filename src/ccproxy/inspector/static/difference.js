// What changed between the client's request and the forwarded one, and what caused each change.

import { clipped, el, fold } from "./dom.js";
import { count } from "./format.js";

export function difference(found, facts) {
  if (found.changes === null) return el("p", { class: "aside" }, "Nothing went to a provider.");
  const converted = found.from !== found.to;
  const hooks = facts.all_hooks.filter((hook) => hook.changed?.length || hook.error || hook.notes?.length);
  return el("div", { class: "difference" },
    el("p", { class: "lead" }, !found.changes.length ? "The request went out as it came." : `${count(found.changes.length, "change")} on the way to ${facts.provider || facts.host}`, converted && `, converted from ${found.from} to ${found.to}`, found.changes.length > 0 && "."),
    hooks.length > 0 && el("section", {}, el("h3", { class: "between" }, "Hooks"), el("ul", { class: "notes" }, hooks.map(hookNode))),
    found.losses.length > 0 && el("section", {}, el("h3", { class: "between" }, converted ? "Lost in conversion" : "Added or left out"), el("ul", { class: "notes" }, found.losses.map(loss))),
    found.changes.length > 0 && el("section", {}, el("h3", { class: "between" }, "Changes"), found.changes.map(change)),
    found.text && (converted
      ? el("section", {}, el("h3", { class: "between" }, "Bodies"), unified(found.text, found.cut))
      : fold([el("span", { class: "fold-title" }, "Bodies as a text difference")], () => unified(found.text, found.cut))));
}

function hookNode(hook) {
  return el("li", {}, el("code", {}, hook.name), el("span", { class: "aside" }, ` ${hook.stage}, ${hook.ms.toFixed(1)} ms`),
    hook.changed?.length > 0 && ` wrote ${hook.changed.join(", ")}`, (hook.notes ?? []).map((note) => el("div", { class: "text" }, note)), hook.error && el("div", { class: "bad" }, hook.error));
}

function loss(one) {
  return el("li", {}, el("code", {}, one.path), el("span", { class: "aside" }, ` ${one.kind}`), " ", one.reason);
}

function change(one) {
  return el("article", { class: `change is-${one.kind}` },
    el("header", {}, el("code", { class: "path" }, one.path), el("span", { class: "aside" }, one.kind), el("span", { class: "fill" }), one.causes.map((cause) => el("span", { class: "cause" }, cause))),
    el("div", { class: "pair" }, one.before && el("div", { class: "old" }, el("span", { class: "unseen" }, "before: "), clipped(pretty(one.before), { tag: "pre", class: "code-text", limit: 2000, lines: 30 })),
      one.after && el("div", { class: "new" }, el("span", { class: "unseen" }, "after: "), clipped(pretty(one.after), { tag: "pre", class: "code-text", limit: 2000, lines: 30 }))));
}

function pretty(text) {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function unified(text, cut) {
  const kinds = { "+": "line-new", "-": "line-old", "@": "line-place" };
  const lines = text.split("\n");
  const shown = lines.slice(0, 4000);
  return el("div", {}, el("pre", { class: "unified" }, shown.map((line) => el("span", { class: kinds[line[0]] ?? "" }, `${line}\n`))),
    (cut > 0 || lines.length > shown.length) && el("p", { class: "aside" }, "Only the beginning is shown; `ccproxy flows compare --raw` prints all."));
}
