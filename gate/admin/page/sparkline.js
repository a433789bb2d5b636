/** What a number was over the last minutes, as a line. */
import { element, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 90, HEIGHT = 40;
/** Where nothing happened the line lies so high over the floor. */
const FLOOR = 2, CEILING = 6;

/** A tile with a name, the present value and its line. `show` takes `[value, unit]` and the number behind it. */
export class Tile {
  #values = [];
  #value = element("span");
  #unit = element("span", "unit");
  #line = document.createElementNS(SVG, "polyline");
  #area = document.createElementNS(SVG, "polygon");

  constructor(list, name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.#area, this.#line);
    const value = element("span", "value", this.#value, this.#unit);
    this.#value.textContent = "–";
    list.append(element("li", "", element("span", "name", name), value, svg));
  }

  /** What it was belongs to another time: after a pause or a new start. */
  forget() {
    this.#values = [];
  }

  show([value, unit], number) {
    setText(this.#value, value);
    setText(this.#unit, unit);
    this.#values.push(number);
    if (this.#values.length > WIDTH + 1) this.#values.shift();
    const most = Math.max(...this.#values, Number.MIN_VALUE);
    const first = WIDTH + 1 - this.#values.length;
    const points = this.#values.map((one, at) => {
      const height = FLOOR + one / most * (HEIGHT - FLOOR - CEILING);
      return `${first + at},${(HEIGHT - height).toFixed(2)}`;
    });
    this.#line.setAttribute("points", points.join(" "));
    this.#area.setAttribute("points", `${first},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`);
  }
}
