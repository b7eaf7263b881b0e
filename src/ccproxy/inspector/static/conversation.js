// A flow as a conversation: instructions, turns, thinking, tool calls with their results, images, the answer.

import { append, clipped, copy, button, el, fold, replace } from "./dom.js";
import { bytes, count, fences, gist, oneLine, tokens } from "./format.js";
import { parse, tree } from "./json.js";

const SHOWN = 24;

/** The whole conversation. `media(number)` gives the address of an image. */
export function conversation(found, { media, running = false }) {
  const { request, answer, problem, counted } = found;
  const node = el("div", { class: "talk" });
  if (problem) append(node, [el("p", { class: "notice" }, problem, ". The other tabs show it as it is.")]);
  if (request) {
    append(node, [settings(request), instructions(request, media), tools(request)]);
    turns(node, request.messages, media);
  }
  const lastRole = request?.messages.filter((message) => message.parts.length).at(-1)?.role;
  if (counted !== null && counted !== undefined) append(node, [el("p", { class: "notice" }, `The prompt has ${counted.toLocaleString("en")} tokens.`)]);
  const place = el("div", { class: "answer", "aria-live": running ? "off" : null });
  append(node, [place]);
  showAnswer(place, answer, { media, running, lastRole });
  return { node, update: (next) => showAnswer(place, next, { media, running: true, lastRole }) };
}

function settings(request) {
  const entries = Object.entries(request.settings);
  if (!entries.length) return null;
  return el("dl", { class: "settings", "aria-label": "Settings of the request" }, entries.map(([name, value]) =>
    el("div", {}, el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, typeof value === "object" ? oneLine(compact(value), 120) : String(value)))));
}

function compact(value) {
  if (Array.isArray(value)) return value.map(compact).join(", ");
  if (value && typeof value === "object") return Object.entries(value).map(([name, one]) => `${name} ${compact(one)}`).join(", ");
  return String(value);
}

function instructions(request, media) {
  if (!request.system.length) return null;
  const size = request.system.reduce((sum, part) => sum + (part.text?.length ?? 0), 0);
  return turn("system", "", fold([
    el("span", { class: "fold-title" }, "Instructions"),
    el("span", { class: "aside" }, `${size.toLocaleString("en")} characters`),
    el("span", { class: "preview" }, oneLine(request.system.find((part) => part.text)?.text ?? "", 120)),
  ], () => parts(request.system, media)));
}

function tools(request) {
  if (!request.tools.length) return null;
  return turn("system", "", fold([
    el("span", { class: "fold-title" }, count(request.tools.length, "tool")),
    el("span", { class: "preview" }, oneLine(request.tools.map((tool) => tool.name).join(", "), 160)),
  ], () => el("div", { class: "tool-list" }, request.tools.map((tool) => fold([
    el("code", {}, tool.name),
    tool.cache && mark(),
    el("span", { class: "preview" }, oneLine(tool.description ?? "", 140)),
  ], () => [
    tool.description && el("div", { class: "text" }, tool.description),
    tool.schema && (typeof tool.schema === "string" ? el("pre", {}, tool.schema) : tree(tool.schema, { depth: 3 })),
  ])))));
}

function turns(node, messages, media) {
  const visible = messages.filter((message) => message.parts.length);
  const hidden = Math.max(0, visible.length - SHOWN);
  const place = el("div", { class: "turns" });
  if (hidden > 4) {
    const more = button(`Show ${hidden} earlier messages`, () => {
      more.replaceWith(...visible.slice(0, hidden).map((message, place) => messageNode(message, media, visible[place - 1])));
    }, { class: "more wide" });
    append(place, [more]);
  }
  for (const message of visible.slice(hidden > 4 ? hidden : 0)) place.append(messageNode(message, media, visible[visible.indexOf(message) - 1]));
  node.append(place);
}

function messageNode(message, media, before) {
  const node = turn(message.role, message.name, parts(message.parts, media));
  if (before?.role === message.role && before.name === message.name) goesOn(node);
  return node;
}

/** A turn of who spoke just before: what they had called and got stands inside, so that it reads as one. */
function goesOn(node) {
  node.classList.add("goes-on");
  node.querySelector(".role").classList.add("unseen");
}

/** One turn with its rule at the left. */
function turn(role, name, ...content) {
  return el("section", { class: `turn role-${role}`, "aria-label": role },
    el("h3", { class: "role" }, role, name && el("span", { class: "aside" }, name)), el("div", { class: "said" }, content));
}

function showAnswer(place, answer, { media, running, lastRole }) {
  if (!answer) {
    replace(place, running ? turn("assistant", "", waiting()) : null);
    return;
  }
  // What an answer calls has its results in the next request.
  const content = [parts(answer.parts.map((part) => ({ ...part, fresh: true })), media)];
  if (running) content.push(answer.parts.length ? el("span", { class: "cursor", "aria-hidden": "true" }) : waiting());
  if (answer.problem) content.push(el("p", { class: "notice" }, answer.problem));
  if (answer.error) content.push(el("div", { class: "failure", role: "alert" }, el("strong", {}, answer.error.kind.replaceAll("_", " ")), el("div", { class: "text" }, answer.error.message)));
  const foot = [
    answer.stop && el("span", {}, "stopped: ", answer.stop.reason.replaceAll("_", " "), answer.stop.sequence && ` at ${JSON.stringify(answer.stop.sequence)}`),
    answer.usage && el("span", {}, `${tokens(answer.usage.input)} in, ${tokens(answer.usage.output)} out`),
    answer.usage?.cache_read ? el("span", {}, `${tokens(answer.usage.cache_read)} read from the cache`) : null,
    answer.usage?.cache_write ? el("span", {}, `${tokens(answer.usage.cache_write)} written to the cache`) : null,
    answer.usage?.reasoning ? el("span", {}, `${tokens(answer.usage.reasoning)} of thinking`) : null,
  ].filter(Boolean);
  const section = turn("assistant", running ? "running" : "", content, foot.length ? el("div", { class: "foot" }, foot) : null);
  if (lastRole === "assistant" && !running) goesOn(section);
  replace(place, section);
}

function waiting() {
  return el("p", { class: "waiting" }, "Waiting for the answer", el("span", { class: "cursor", "aria-hidden": "true" }));
}

function parts(list, media) {
  return list.map((part) => el("div", { class: `part part-${part.part}` }, partNode(part, media), part.cache && mark(part.cache)));
}

/** Says that the prompt up to here is to be cached. */
function mark(ttl = "") {
  return el("span", { class: "cache-mark", title: "The prompt up to here is marked to be cached" }, ttl && ttl !== "on" ? `cache ${ttl}` : "cache");
}

function partNode(part, media) {
  switch (part.part) {
    case "text":
      return [prose(part.text), citations(part.citations)];
    case "thinking":
      return thinking(part);
    case "refusal":
      return el("div", { class: "failure" }, el("strong", {}, "refusal"), el("div", { class: "text" }, part.text));
    case "image":
      return image(part, media);
    case "document":
      return [attachment("document", part.title, part), part.text && clipped(part.text), parts(part.parts ?? [], media)];
    case "audio":
      return [attachment("recording", "", part), part.transcript && prose(part.transcript)];
    case "tool_call":
      return call(part, media);
    case "tool_result":
      return result(part, media, part.name || part.id);
    case "server_tool":
      return fold([el("code", {}, part.name), el("span", { class: "aside" }, "run by the provider"), el("span", { class: "preview" }, gist(part.args))],
        () => [part.args && args(part.args), tree(part.raw)]);
    default:
      return fold([el("code", {}, part.type ?? part.part), el("span", { class: "aside" }, "known to this provider only")], () => tree(part.raw ?? part));
  }
}

/** Text with its code fences as blocks of code. What a client puts before the user's words is closed. */
function prose(text) {
  const reminder = /^\s*<system-reminder>\s*([\s\S]*?)\s*<\/system-reminder>\s*$/.exec(text);
  if (reminder) return fold([el("span", { class: "aside" }, "system reminder"), el("span", { class: "preview" }, oneLine(reminder[1], 140))], () => clipped(text));
  return fences(text).map((piece) => piece.code
    ? el("figure", { class: "code" }, piece.label && el("figcaption", {}, piece.label), clipped(piece.text, { tag: "pre", class: "code-text" }))
    : clipped(piece.text));
}

function citations(list) {
  if (!list?.length) return null;
  return el("ul", { class: "citations" }, list.map((one) => el("li", {}, one.title || one.url || "source", one.cited && `: “${oneLine(one.cited, 200)}”`)));
}

function thinking(part) {
  if (!part.text) return el("p", { class: "aside" }, part.form === "redacted" ? "Thinking, sealed by the provider" : "Thinking, without its words");
  return fold([
    el("span", { class: "fold-title" }, part.form === "summary" ? "Thinking (summary)" : "Thinking"),
    el("span", { class: "preview" }, oneLine(part.text, 140)),
  ], () => clipped(part.text), { open: part.text.length < 400 });
}

function image(part, media) {
  if (part.media !== null && part.media !== undefined) {
    return el("figure", { class: "image" }, el("img", { src: media(part.media), alt: `an image of the conversation (${part.media_type})`, loading: "lazy" }), el("figcaption", {}, `${part.media_type}, ${bytes(part.bytes)}`));
  }
  return attachment("image", "", part);
}

function attachment(what, title, part) {
  const where = part.url ? `at ${oneLine(part.url, 200)} (not fetched)` : part.bytes ? bytes(part.bytes) : "";
  return el("p", { class: "attachment" }, el("strong", {}, what), title && ` ${title}`, part.media_type && ` ${part.media_type}`, where && ` ${where}`);
}

function call(part, media) {
  const short = part.args.length < 240;
  return el("div", { class: "call" },
    fold([el("code", { class: "tool-name" }, part.name), el("span", { class: "preview mono" }, gist(part.args)), el("span", { class: "call-id" }, part.id)],
      () => args(part.args), { open: short && part.args.length > 120 }),
    part.result ? result({ ...part.result, part: "tool_result" }, media, "result") : part.fresh ? null : el("p", { class: "aside pending" }, "no result in this request"));
}

function args(text) {
  let value;
  try {
    value = parse(text || "{}");
  } catch {
    return clipped(text, { tag: "pre", class: "code-text" });
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return tree(value);
  // Text of several lines is read as it is meant, not as JSON writes it.
  return el("dl", { class: "args" }, Object.entries(value).map(([name, one]) => el("div", {}, el("dt", {}, name),
    el("dd", {}, typeof one === "string" ? clipped(one, { tag: "pre", class: "code-text", limit: 3000, lines: 40 }) : tree(one)))), copy(text, "Copy JSON"));
}

function result(part, media, title) {
  const text = part.parts.filter((one) => one.part === "text").map((one) => one.text).join("\n");
  const others = part.parts.filter((one) => one.part !== "text");
  const lines = text ? text.split("\n").length : 0;
  return el("div", { class: part.error ? "result is-error" : "result" }, fold([
    el("span", { class: "fold-title" }, part.error ? "error" : title),
    lines > 1 ? el("span", { class: "aside" }, count(lines, "line")) : null,
    el("span", { class: "preview mono" }, text ? oneLine(text, 140) : others.length ? count(others.length, "part") : "empty"),
    part.cache && mark(part.cache),
  ], () => [text && clipped(text, { tag: "pre", class: "code-text", limit: 8000, lines: 60 }), parts(others, media)],
  { open: others.some((one) => one.part === "image") }));
}
