// The threads of a session, for its timeline. Pure.

/** The threads of a session in the order to be shown: `{key, name, depth, rows}`; subagents stand below their parents. */
export function lanes(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = row.kind === "main" || row.kind === "compaction" ? "main" : row.kind === "subagent" ? row.conversation || "subagent" : row.kind || "other";
    if (!found.has(key)) found.set(key, { key, name: key === "main" ? "main" : row.kind === "subagent" ? `subagent ${row.conversation.slice(0, 8)}` : (row.kind || "other").replaceAll("_", " "), parent: row.kind === "subagent" ? row.parent : "", rows: [] });
    found.get(key).rows.push(row);
  }
  const all = [...found.values()];
  const ordered = [];
  const place = (lane, depth) => {
    if (ordered.includes(lane)) return;
    ordered.push(Object.assign(lane, { depth }));
    for (const other of all) if (other.parent === lane.key && other !== lane) place(other, depth + 1);
  };
  const main = found.get("main");
  if (main) place(main, 0);
  // Who was started by somebody without a lane was started by the main thread, or by its session.
  for (const lane of all) if (lane.parent && !found.has(lane.parent)) place(lane, main ? 1 : 0);
  for (const lane of all) if (!lane.parent) place(lane, 0);
  for (const lane of all) place(lane, 0);
  return ordered;
}
