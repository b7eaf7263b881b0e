// Numbers, times and addresses as they are written. Pure: no page is needed, so that they can be tested by themselves.

const NONE = "–";

/** Tokens: 812, 12.1k, 3.4M; a dash for what was not reported. */
export function tokens(count) {
  if (count === null || count === undefined) return NONE;
  if (count >= 1e6) return `${(count / 1e6).toFixed(count >= 1e8 ? 0 : 1)}M`;
  if (count >= 1e3) return `${(count / 1e3).toFixed(count >= 1e5 ? 0 : 1)}k`;
  return String(count);
}

/** US dollars, with as many digits as it takes to see that it is not nothing. */
export function money(amount) {
  if (amount === null || amount === undefined) return NONE;
  if (amount === 0) return "$0";
  if (amount >= 100) return `$${amount.toFixed(0)}`;
  if (amount >= 1) return `$${amount.toFixed(2)}`;
  if (amount >= 0.0001) return `$${amount.toFixed(4)}`;
  return "<$0.0001";
}

/** Seconds: 0.4 ms, 85 ms, 3.21 s, 12.3 s, 2:05 min, 1:02 h. */
export function seconds(duration) {
  if (duration === null || duration === undefined) return NONE;
  if (duration > 0 && duration < 0.00995) return `${(duration * 1000).toFixed(1)} ms`;
  if (duration < 0.9995) return `${Math.round(duration * 1000)} ms`;
  if (duration < 9.995) return `${duration.toFixed(2)} s`;
  if (duration < 59.95) return `${duration.toFixed(1)} s`;
  const whole = Math.round(duration);
  if (whole < 3600) return `${Math.floor(whole / 60)}:${pad(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${pad(Math.floor((whole % 3600) / 60))} h`;
}

/** Bytes: 812 B, 12.1 KB, 3.4 MB. */
export function bytes(count) {
  if (count === null || count === undefined) return NONE;
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(count < 1e5 ? 1 : 0)} KB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}

/** Time of day of seconds since the epoch; with the day if it is not today's. */
export function clock(timestamp, now = Date.now()) {
  const date = new Date(timestamp * 1000);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  if (new Date(now).toDateString() === date.toDateString()) return time;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
}

/** The part of the prompt that came from a cache: 92%; "" if there is nothing to say. */
export function cached(row) {
  if (!row.input || row.cache_read === null || row.cache_read === undefined) return "";
  return `${Math.round((100 * row.cache_read) / row.input)}%`;
}

/** `1 flow`, `1,234 flows`. */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** How a flow stands: `run`, `ok`, `warn` (the client left, or was refused) or `bad`. */
export function standing(row) {
  if (row.running) return "run";
  if (row.status === null || row.status >= 500 || ["failed", "upstream_cut", "upstream_error"].includes(row.outcome)) return "bad";
  if (row.status >= 400 || row.outcome !== "complete") return "warn";
  return "ok";
}

const OUTCOMES = {
  pending: "running",
  complete: "complete",
  client_gone: "the client left",
  upstream_cut: "the provider broke off",
  upstream_error: "the provider failed",
  refused: "refused",
  failed: "failed",
};

/** An outcome in words. */
export function outcome(word) {
  return OUTCOMES[word] ?? word;
}

/** The places of the page: `#/flows/ID/TAB?model=x`, `#/session/ID`, `#/costs`. */
export function parseHash(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").map(decode);
  const params = Object.fromEntries(new URLSearchParams(query));
  const view = ["flows", "session", "costs"].includes(parts[0]) ? parts[0] : "flows";
  return { view, id: parts[1] || "", tab: parts[2] || "", params };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The way back. */
export function makeHash({ view = "flows", id = "", tab = "", params = {} }) {
  const path = [view, id, id && tab].filter(Boolean).map(encodeURIComponent).join("/");
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value)).toString();
  return `#/${path}${query ? `?${query}` : ""}`;
}

/** A text cut at its code fences: `{code: bool, text, label}`. */
export function fences(text) {
  const found = [];
  const pattern = /^( {0,3})(`{3,}|~{3,})([^\n`]*)\n([\s\S]*?)(?:^ {0,3}\2[`~]*[ \t]*(?:\n|$)|$(?![\s\S]))/gm;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const before = text.slice(end, match.index);
    if (before.trim()) found.push({ code: false, text: before.replace(/^\n+|\n+$/g, ""), label: "" });
    found.push({ code: true, text: match[4].replace(/\n$/, ""), label: match[3].trim() });
    end = match.index + match[0].length;
  }
  const rest = text.slice(end);
  if (rest.trim() || !found.length) found.push({ code: false, text: end ? rest.replace(/^\n+|\n+$/g, "") : rest, label: "" });
  return found;
}

/** The arguments of a tool call in one line: the value that says most. */
export function gist(args) {
  let value;
  try {
    value = JSON.parse(args || "{}");
  } catch {
    return oneLine(args);
  }
  if (value === null || typeof value !== "object") return oneLine(String(value));
  for (const name of ["command", "cmd", "file_path", "path", "pattern", "query", "url", "description", "prompt", "input"]) {
    if (typeof value[name] === "string" && value[name]) return oneLine(value[name]);
    if (Array.isArray(value[name])) return oneLine(value[name].join(" "));
  }
  const entries = Object.entries(value);
  return oneLine(entries.map(([name, one]) => `${name}: ${typeof one === "string" ? one : JSON.stringify(one)}`).join(", "));
}

/** `text` in one line, cut. */
export function oneLine(text, limit = 160) {
  const line = text.slice(0, limit * 2).replace(/\s+/g, " ").trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** Round numbers from 0 to at least `most`, for an axis. */
export function ticks(most, wanted = 4) {
  if (!(most > 0)) return [0, 1];
  const raw = most / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let n = 0; n === 0 || found[n - 1] < most * 0.999; n++) found.push(n * step);
  return found;
}

/** A number with its unit without the zeros that it does not need, for an axis: 60.0k as 60k, $1.00 as $1. */
export function brief(text) {
  return text.replace(/(\.\d*?)0+(?=\D*$)/, "$1").replace(/\.(?=\D*$)/, "");
}

function pad(number) {
  return String(number).padStart(2, "0");
}
