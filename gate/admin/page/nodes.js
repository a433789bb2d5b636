/** Who is connected, and under which names: where there is somebody. */
import { setText, Table } from "./dom.js";
import { bytesText, count, duration, shortTime } from "./format.js";

/** Rows at most. */
const MOST_ROWS = 200;

const COLUMNS = [
  { title: "Names", text: ({ names }) => names.join(", "), kind: "mono clip" },
  { title: "Identity", text: ({ identity }) => identity, kind: "mono clip" },
  { title: "Proof", text: ({ proof }) => proof, kind: "brief" },
  { title: "From", text: ({ peer }) => peer, kind: "mono clip" },
  { title: "For", text: ({ since, now }) => duration(now - since), kind: "brief" },
  {
    title: "Away",
    text: ({ roundTrip }) => roundTrip === undefined ? "–" : shortTime(roundTrip),
    kind: "number",
  },
  { title: "Streams", text: ({ streams }) => count(streams), kind: "number" },
  { title: "Served", text: ({ served }) => count(served), kind: "number" },
  { title: "In", text: ({ up }) => bytesText(up), kind: "number" },
  { title: "Out", text: ({ down }) => bytesText(down), kind: "number" },
];

export class Nodes {
  #section;
  #table;
  #shown;

  constructor(section, table, shown) {
    this.#section = section;
    this.#table = new Table(table, { columns: COLUMNS, key: ({ id }) => id, nothing: "None" });
    this.#shown = shown;
  }

  /** What to ask for. */
  get path() {
    return `/nodes?most=${MOST_ROWS}`;
  }

  show({ total, nodes }) {
    const now = Date.now();
    this.#section.hidden = total === 0;
    this.#table.show(nodes.map((node) => ({ ...node, now })));
    setText(this.#shown, nodes.length < total ? `${count(nodes.length)} of ${count(total)}` : "");
  }
}
