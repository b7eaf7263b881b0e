// What narrows the list: words, and one choice each of what there is.

import { el, replace } from "./dom.js";

const CHOICES = [
  ["model", "Model"],
  ["provider", "Provider"],
  ["status", "Status"],
  ["tool", "Tool"],
  ["kind", "Kind"],
  ["session", "Session"],
];
const ALWAYS = { status: [["error", null], ["2xx", null], ["4xx", null], ["5xx", null]] };

export const NAMES = ["text", ...CHOICES.map(([name]) => name), "conversation"];

export class Filters {
  /** `changed(values)` is called when another filter is wanted. */
  constructor(changed) {
    this.changed = changed;
    this.values = {};
    this.search = el("input", {
      type: "search",
      class: "search",
      placeholder: "Search prompts and answers",
      "aria-label": "Search prompts and answers",
      "aria-keyshortcuts": "/",
      spellcheck: "false",
      autocomplete: "off",
      on: {
        input: () => {
          clearTimeout(this.typing);
          this.typing = setTimeout(() => this.set("text", this.search.value.trim()), 250);
        },
      },
    });
    this.selects = new Map();
    for (const [name, label] of CHOICES) {
      const select = el("select", { "aria-label": label, on: { change: () => this.set(name, select.value) } });
      this.selects.set(name, select);
    }
    this.clear = el("button", { type: "button", class: "quiet", hidden: true, on: { click: () => this.reset() } }, "Clear");
    this.node = el("div", { class: "filters", role: "search", "aria-label": "Filter flows" }, [...this.selects.values()], this.clear);
    this.offer({});
  }

  set(name, value) {
    if ((this.values[name] ?? "") === value) return;
    this.changed({ ...this.values, [name]: value });
  }

  reset() {
    clearTimeout(this.typing);
    this.changed({});
  }

  /** Shows the values in use. */
  show(values) {
    this.values = values;
    if (document.activeElement !== this.search) this.search.value = values.text ?? "";
    for (const [name, select] of this.selects) {
      const value = values[name] ?? "";
      if (value && ![...select.options].some((option) => option.value === value)) select.append(el("option", { value }, shown(name, value)));
      select.value = value;
      select.classList.toggle("used", Boolean(value));
    }
    this.clear.hidden = !Object.values(values).some(Boolean);
  }

  /** Offers what the store has: value and count by name. */
  offer(facets) {
    for (const [name, label] of CHOICES) {
      const select = this.selects.get(name);
      if (document.activeElement === select) continue;
      const known = [...(ALWAYS[name] ?? []), ...(facets[name] ?? [])];
      replace(select, el("option", { value: "" }, label), known.map(([value, count]) =>
        el("option", { value }, shown(name, value) + (count === null ? "" : ` (${count.toLocaleString("en")})`))));
    }
    this.show(this.values);
  }
}

function shown(name, value) {
  return name === "session" ? value.slice(0, 24) : value;
}
