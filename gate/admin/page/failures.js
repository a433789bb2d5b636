/** Connections that failed: as they happen, and since the start. */
import { Table } from "./dom.js";
import { clock, count } from "./format.js";

/** So many lines are kept of what happened. */
const MOST_LINES = 200;

const keyOf = ({ listener, protocol, outcome, side }) => [listener, protocol, outcome, side].join("\n");

const WHICH = [
  { title: "Outcome", text: ({ outcome }) => outcome, kind: "brief", state: () => "bad" },
  { title: "By", text: ({ side }) => side ?? "", kind: "brief" },
  { title: "Protocol", text: ({ protocol }) => protocol || "none", kind: "brief" },
  { title: "Listener", text: ({ listener }) => listener },
];
const COUNT = { title: "Count", text: (row) => count(row.count), kind: "number" };

export class Failures {
  #happening = [];
  #known;
  #next = 0;
  #now;
  #totals;

  constructor(happening, totals) {
    const time = { title: "Time", text: ({ at }) => clock(at), kind: "brief plain" };
    this.#now = new Table(happening, {
      columns: [time, ...WHICH, COUNT],
      key: ({ number }) => number,
      nothing: "None since this page was opened",
    });
    this.#totals = new Table(totals, { columns: [...WHICH, COUNT], key: keyOf, nothing: "None" });
    this.#now.show([]);
  }

  /** The next status is compared to nothing. */
  forget() {
    this.#known = undefined;
  }

  show({ ended }, at) {
    const failed = ended.filter(({ outcome }) => outcome !== "ok");
    const more = !this.#known ? [] : failed.flatMap((row) => {
      const happened = row.count - (this.#known.get(keyOf(row)) ?? 0);
      return happened > 0 ? [{ ...row, at, count: happened, number: this.#next++ }] : [];
    });
    this.#known = new Map(failed.map((row) => [keyOf(row), row.count]));
    this.#happening = [...more, ...this.#happening].slice(0, MOST_LINES);
    this.#now.show(this.#happening);
    this.#totals.show(failed.toSorted((a, b) => b.count - a.count));
  }
}
