// Elements are made here and nowhere else. Text becomes text nodes: nothing that was recorded is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: `class`, `on` (listeners by event), `data` (data attributes), `style` (properties by name, set
 *  through the object model), attributes by name; null and false leave an attribute out. Children: nodes, texts, lists. */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/** Appends nodes and texts; null, undefined and false are left out. */
export function append(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** Puts `children` in place of what is in `node`. */
export function replace(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

/** A button. */
export function button(text, click, props = {}) {
  return el("button", { type: "button", ...props, on: { click } }, text);
}

/** Something that opens: `body` is called for its content when it first does. */
export function fold(summary, body, props = {}) {
  const details = el("details", props, el("summary", {}, summary));
  let filled = false;
  const open = () => {
    if (filled || !details.open) return;
    filled = true;
    append(details, [body()]);
  };
  details.addEventListener("toggle", open);
  if (props.open) open();
  return details;
}

/** Text that is too long to be shown at once: its beginning, and a button for the rest. */
export function clipped(text, { limit = 6000, lines = 80, tag = "div", class: name = "text" } = {}) {
  let end = Math.min(text.length, limit);
  let line = -1;
  for (let n = 0; n < lines; n++) {
    line = text.indexOf("\n", line + 1);
    if (line < 0) break;
  }
  if (line >= 0) end = Math.min(end, line);
  if (text.length - end < 200) return el(tag, { class: name }, text);
  const body = el(tag, { class: name }, text.slice(0, end), "…");
  const more = button(`Show all ${text.length.toLocaleString("en")} characters`, () => {
    replace(body, text);
    more.remove();
  }, { class: "more" });
  return [body, more];
}

/** A button that puts a text on the clipboard. */
export function copy(text, what = "Copy") {
  const node = button(what, async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      node.textContent = "Copied";
    } catch {
      node.textContent = "Not allowed";
    }
    setTimeout(() => { node.textContent = what; }, 1200);
  }, { class: "quiet" });
  return node;
}
