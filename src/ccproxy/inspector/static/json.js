// JSON as a tree that opens where one looks, and as coloured text.

import { append, button, el } from "./dom.js";

const OPEN_TO = 2;
const MANY = 200;
const LONG = 600;

/** A number as it is written, where a double would not keep it. */
class Exact {
  constructor(source) {
    this.source = source;
  }
}

/** Parses JSON; numbers keep their digits where the browser tells them. Throws SyntaxError. */
export function parse(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source ? new Exact(context.source) : value);
}

/** A tree for a parsed value. */
export function tree(value, { depth = OPEN_TO } = {}) {
  return el("div", { class: "json", role: "tree" }, node(null, value, depth, true));
}

function node(key, value, depth, last) {
  const label = key === null ? null : el("span", { class: typeof key === "number" ? "j-index" : "j-key" }, typeof key === "number" ? key : JSON.stringify(key), ": ");
  if (value === null || typeof value !== "object" || value instanceof Exact) {
    return el("div", { class: "j-line" }, label, scalar(value), last ? null : ",");
  }
  const list = Array.isArray(value);
  const keys = list ? value.map((_, index) => index) : Object.keys(value);
  const [begin, end] = list ? ["[", "]"] : ["{", "}"];
  if (!keys.length) return el("div", { class: "j-line" }, label, begin, end, last ? null : ",");
  const details = el("details", { class: "j-node" });
  const hint = list ? `${keys.length}` : keys.slice(0, 4).join(", ") + (keys.length > 4 ? ", …" : "");
  append(details, [el("summary", {}, label, begin, el("span", { class: "j-hint" }, ` ${summary(value, list, hint)} `), el("span", { class: "j-end" }, end))]);
  let filled = false;
  const filling = () => {
    if (filled || !details.open) return;
    filled = true;
    const body = el("div", { class: "j-body" });
    const show = (from) => {
      const until = Math.min(keys.length, from + MANY);
      for (let n = from; n < until; n++) body.append(node(keys[n], value[keys[n]], depth - 1, n === keys.length - 1));
      if (until < keys.length) {
        const more = button(`${keys.length - until} more`, () => {
          more.remove();
          show(until);
        }, { class: "more" });
        body.append(more);
      }
    };
    show(0);
    append(details, [body, el("div", { class: "j-close" }, end, last ? null : ",")]);
  };
  details.addEventListener("toggle", filling);
  if (depth > 0 && keys.length <= MANY) {
    details.open = true;
    filling();
  }
  return details;
}

/** What a closed node says of itself: the members by which people know messages, parts and tools. */
function summary(value, list, hint) {
  if (list) return hint;
  const known = ["role", "type", "name", "id"].filter((name) => typeof value[name] === "string");
  const said = [value.text, value.content, value.description].find((one) => typeof one === "string" && one);
  const words = [...known.map((name) => `${name}: ${value[name].slice(0, 60)}`), ...(said ? [JSON.stringify(said.slice(0, 80))] : [])];
  return words.length ? words.join(", ") : hint;
}

function scalar(value) {
  if (value instanceof Exact) return el("span", { class: "j-number" }, value.source);
  if (typeof value === "string") return string(value);
  return el("span", { class: value === null || typeof value === "boolean" ? "j-word" : "j-number" }, String(value));
}

function string(value) {
  if (value.length <= LONG) return el("span", { class: "j-string" }, JSON.stringify(value));
  const span = el("span", { class: "j-string" }, JSON.stringify(value.slice(0, LONG)).slice(0, -1), "…");
  const more = button(`all ${value.length.toLocaleString("en")} characters`, () => {
    span.textContent = JSON.stringify(value);
    more.remove();
  }, { class: "more inline" });
  return [span, more];
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

/** JSON text with colours; for texts of up to some 100 KB. */
export function coloured(text) {
  const pre = el("pre", { class: "json-text" });
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > end) pre.append(text.slice(end, match.index));
    if (match[1]) pre.append(el("span", { class: match[2] ? "j-key" : "j-string" }, match[1]), match[2] ?? "");
    else pre.append(el("span", { class: match[3] ? "j-number" : "j-word" }, match[0]));
    end = match.index + match[0].length;
  }
  pre.append(text.slice(end));
  return pre;
}
