// What of the page needs no page: run by test_static.py with `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

const STATIC = new URL("../../src/ccproxy/inspector/static/", import.meta.url);
const format = await import(new URL("format.js", STATIC));
const { lanes } = await import(new URL("lanes.js", STATIC));

test("tokens", () => {
  assert.deepEqual([null, 0, 812, 1000, 12_345, 123_456, 3_400_000, 340_000_000].map(format.tokens), ["–", "0", "812", "1.0k", "12.3k", "123k", "3.4M", "340M"]);
});

test("money has the digits that it takes", () => {
  assert.deepEqual([null, 0, 0.00001, 0.0412, 3.5, 1234].map(format.money), ["–", "$0", "<$0.0001", "$0.0412", "$3.50", "$1234"]);
});

test("seconds", () => {
  assert.deepEqual([null, 0, 0.0004, 0.085, 3.214, 12.34, 59.99, 125, 3725].map(format.seconds), ["–", "0 ms", "0.4 ms", "85 ms", "3.21 s", "12.3 s", "1:00 min", "2:05 min", "1:02 h"]);
});

test("bytes", () => {
  assert.deepEqual([null, 812, 12_100, 3_400_000].map(format.bytes), ["–", "812 B", "12.1 KB", "3.4 MB"]);
});

test("labels of an axis have no zeros to spare", () => {
  assert.deepEqual(["60.0k", "$1.00", "$0.0200", "100", "2.5k", "1.0 ms"].map(format.brief), ["60k", "$1", "$0.02", "100", "2.5k", "1 ms"]);
});

test("a day that is not today is named", () => {
  const noon = new Date(2026, 10, 24, 12, 5, 9).getTime();
  assert.equal(format.clock(noon / 1000, noon), "12:05:09");
  assert.equal(format.clock(noon / 1000, noon + 86_400_000), "2026-11-24 12:05:09");
});

test("how much came from a cache", () => {
  assert.equal(format.cached({ input: 200, cache_read: 150 }), "75%");
  assert.equal(format.cached({ input: 0, cache_read: 0 }), "");
  assert.equal(format.cached({ input: 10, cache_read: null }), "");
});

test("how a flow stands", () => {
  const row = { running: false, status: 200, outcome: "complete" };
  assert.equal(format.standing(row), "ok");
  assert.equal(format.standing({ ...row, running: true }), "run");
  assert.equal(format.standing({ ...row, status: 404 }), "warn");
  assert.equal(format.standing({ ...row, outcome: "client_gone" }), "warn");
  assert.equal(format.standing({ ...row, status: null }), "bad");
  assert.equal(format.standing({ ...row, outcome: "upstream_cut" }), "bad");
});

test("an address goes there and back", () => {
  const place = { view: "flows", id: "ab12", tab: "changes", params: { text: "a/b & c?", model: "x" } };
  assert.deepEqual(format.parseHash(format.makeHash(place)), place);
  const session = { view: "session", id: "~a/b%", tab: "", params: {} };
  assert.deepEqual(format.parseHash(format.makeHash(session)), session);
  assert.equal(format.makeHash({}), "#/flows");
});

test("an address that makes no sense is the list", () => {
  for (const hash of ["", "#", "#/", "#/nonsense", "#login=x"]) assert.equal(format.parseHash(hash).view, "flows");
  assert.equal(format.parseHash("#/flows/%E0%A4%A").id, "%E0%A4%A");
});

test("code fences", () => {
  assert.deepEqual(format.fences("plain"), [{ code: false, text: "plain", label: "" }]);
  assert.deepEqual(format.fences("a\n\n```py\nx = 1\n```\n\nb"), [
    { code: false, text: "a", label: "" },
    { code: true, text: "x = 1", label: "py" },
    { code: false, text: "b", label: "" },
  ]);
  assert.deepEqual(format.fences("~~~\nopen\nto the end"), [{ code: true, text: "open\nto the end", label: "" }]);
  assert.deepEqual(format.fences("```a``` inline"), [{ code: false, text: "```a``` inline", label: "" }]);
  assert.deepEqual(format.fences(""), [{ code: false, text: "", label: "" }]);
});

test("no text makes the search for fences slow", () => {
  const begin = performance.now();
  format.fences("```\n".repeat(20_000));
  format.fences("`".repeat(200_000));
  format.fences("   ".repeat(100_000));
  assert.ok(performance.now() - begin < 2000);
});

test("the gist of a call", () => {
  assert.equal(format.gist('{"description":"lists","command":"ls -l"}'), "ls -l");
  assert.equal(format.gist('{"command":["ls","-l"]}'), "ls -l");
  assert.equal(format.gist('{"a":1,"b":"x"}'), "a: 1, b: x");
  assert.equal(format.gist("no\njson"), "no json");
  assert.equal(format.gist(""), "");
  assert.equal(format.gist("null"), "null");
  assert.equal(format.gist(JSON.stringify({ command: "x".repeat(500) })).length, 160);
});

test("ticks are round and reach the most", () => {
  assert.deepEqual(format.ticks(0), [0, 1]);
  assert.deepEqual(format.ticks(8), [0, 2, 4, 6, 8]);
  for (const most of [0.00037, 0.9, 7, 113, 47_700, 1e9]) {
    const found = format.ticks(most);
    assert.ok(found.at(-1) >= most * 0.999 && found.length <= 6, `${most}: ${found}`);
  }
});

test("subagents stand below who started them", () => {
  const row = (kind, conversation, parent = "") => ({ kind, conversation, parent });
  const found = lanes([row("title", "c0"), row("main", "c1"), row("subagent", "a2", "a1"), row("subagent", "a1", "session"), row("compaction", "c9"), row("main", "c1")]);
  assert.deepEqual(found.map((lane) => [lane.key, lane.depth, lane.rows.length]), [["main", 0, 3], ["a1", 1, 1], ["a2", 2, 1], ["title", 0, 1]]);
});

test("threads that name each other are shown once", () => {
  const row = (conversation, parent) => ({ kind: "subagent", conversation, parent });
  assert.equal(lanes([row("a", "b"), row("b", "a")]).length, 2);
});
