// Charts, drawn by hand in SVG: columns over time, stacked by name. Colours are classes, so that both themes have theirs.

import { el, svg } from "./dom.js";
import { brief, clock, ticks } from "./format.js";

const WIDTH = 900;
const HEIGHT = 200;
const LEFT = 64;
const BOTTOM = 32;

/** Columns. `value(column, name)` gives a number, `format(number)` how it is written. */
export function columns({ title, data, value, format, names = data.names }) {
  const sums = data.columns.map((column) => names.reduce((sum, name) => sum + value(column, name), 0));
  const marks = ticks(Math.max(...sums, 0));
  const most = marks.at(-1);
  const step = (WIDTH - LEFT) / Math.max(1, data.columns.length);
  const y = (number) => 8 + (HEIGHT - BOTTOM - 8) * (1 - number / most);
  const total = sums.reduce((sum, one) => sum + one, 0);
  const every = Math.max(1, Math.ceil(data.columns.length / 8));
  return el("figure", { class: "chart" },
    el("figcaption", {}, title, el("strong", { class: "num" }, format(total))),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${format(total)} in all` },
      marks.map((mark) => [
        svg("line", { x1: LEFT, x2: WIDTH, y1: y(mark), y2: y(mark), class: "grid" }),
        svg("text", { x: LEFT - 8, y: y(mark) + 4, class: "axis", "text-anchor": "end" }, brief(format(mark))),
      ]),
      data.columns.map((column, place) => {
        let below = 0;
        const x = LEFT + place * step;
        const bars = names.map((name, hue) => {
          const number = value(column, name);
          if (!number) return null;
          const top = y(below + number);
          const bar = svg("rect", { x: x + step * 0.12, y: top, width: Math.max(1, step * 0.76), height: Math.max(0.5, y(below) - top), class: `hue-${hue}` });
          below += number;
          return bar;
        });
        const text = [moment(column.at, data.width), ...names.filter((name) => value(column, name)).map((name) => `${name}: ${format(value(column, name))}`)].join("\n");
        return svg("g", {}, svg("rect", { x, y: 0, width: step, height: HEIGHT - BOTTOM, class: "hit" }), bars, svg("title", {}, text),
          place % every === 0 && svg("text", { x: x + step / 2, y: HEIGHT - 6, class: "axis", "text-anchor": "middle" }, moment(column.at, data.width)));
      })));
}

/** The names with their colours. */
export function legend(names) {
  return el("ul", { class: "legend" }, names.map((name, hue) => el("li", {}, svg("svg", { width: 10, height: 10, "aria-hidden": "true" }, svg("rect", { width: 10, height: 10, rx: 2, class: `hue-${hue}` })), name)));
}

function moment(at, width) {
  const text = clock(at, 0);
  return width >= 86_400 ? text.slice(5, 10) : width >= 3600 ? `${text.slice(8, 10)}. ${text.slice(11, 16)}` : text.slice(11, 16);
}
