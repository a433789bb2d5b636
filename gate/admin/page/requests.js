/** Requests by route, and how many of them there are each second between one status and the next. */
import { Table } from "./dom.js";
import { bytesText, count, digits, shortTime } from "./format.js";

const CLASSES = ["2xx", "3xx", "4xx", "5xx"];

const COLUMNS = [
  { title: "Route", text: ({ label }) => label, kind: "plain" },
  { title: "Per second", text: ({ rate }) => rate === undefined ? "–" : digits(rate), kind: "number" },
  { title: "Now", text: ({ active }) => count(active), kind: "number" },
  ...CLASSES.map((name) => ({
    title: name,
    text: ({ statuses }) => count(statuses[name]),
    kind: "number",
    state: ({ statuses }) => name === "5xx" && statuses[name] > 0 ? "bad" : "",
  })),
  { title: "Median", text: ({ latency }) => latency ? shortTime(latency.p50) : "–", kind: "number" },
  { title: "99 %", text: ({ latency }) => latency ? shortTime(latency.p99) : "–", kind: "number" },
  { title: "In", text: ({ up }) => bytesText(up), kind: "number" },
  { title: "Out", text: ({ down }) => bytesText(down), kind: "number" },
];

const total = ({ statuses }) => Object.values(statuses).reduce((sum, count) => sum + count, 0);

export class Requests {
  #section;
  #table;
  #last;

  constructor(section, table) {
    this.#section = section;
    this.#table = new Table(table, { columns: COLUMNS, key: ({ route }) => route, nothing: "None" });
  }

  /** The next status is compared to nothing. */
  forget() {
    this.#last = undefined;
  }

  /** `at`: when it was asked for, ms. */
  show({ requests }, at) {
    const totals = new Map(requests.map((row) => [row.label, total(row)])), last = this.#last;
    const seconds = last && Math.max(0.001, (at - last.at) / 1000);
    const rate = ({ label }) =>
      last && Math.max(0, totals.get(label) - (last.totals.get(label) ?? 0)) / seconds;
    this.#section.hidden = requests.length === 0;
    this.#table.show(requests.map((row) => ({ ...row, rate: rate(row) })));
    this.#last = { at, totals };
  }
}
