/** The live connections, the newest first, and those of them that one looks for. */
import { setText, Table } from "./dom.js";
import { bytesText, count, duration } from "./format.js";

/** So many are asked for; while one looks for something, more. */
const ASKED = 500, ASKED_TO_FILTER = 5000;
/** Rows at most. */
const MOST_ROWS = 200;

const COLUMNS = [
  { title: "Age", text: ({ age }) => age, kind: "brief" },
  { title: "Client", text: ({ user, peer }) => user ? `${user} ${peer}` : peer, kind: "mono clip" },
  { title: "Asks for", text: asked, kind: "mono clip" },
  { title: "Goes to", text: ({ endpoint }) => endpoint ?? "", kind: "mono clip" },
  { title: "Protocol", text: ({ protocol, stage }) => protocol || stage, kind: "clip" },
  { title: "Listener", text: ({ listener }) => listener, kind: "clip" },
  { title: "In", text: ({ up }) => bytesText(up), kind: "number" },
  { title: "Out", text: ({ down }) => bytesText(down), kind: "number" },
];

function asked({ serverName, target }) {
  if (!serverName || target?.startsWith(serverName)) return target ?? "";
  return target ? `${serverName} (${target})` : serverName;
}

export class Connections {
  #table;
  #shown;
  #filter;
  #answer = { total: 0, connections: [] };

  constructor(table, shown, filter) {
    this.#table = new Table(table, {
      columns: COLUMNS,
      key: ({ id }) => id,
      nothing: "No connection to show",
    });
    this.#shown = shown;
    this.#filter = filter;
  }

  /** What to ask for. */
  get path() {
    return `/connections?most=${this.#words.length > 0 ? ASKED_TO_FILTER : ASKED}`;
  }

  take(answer) {
    this.#answer = answer;
    this.show();
  }

  /** Those of the last answer that have every word of the filter somewhere. */
  show() {
    const words = this.#words, now = Date.now();
    const found = this.#answer.connections
      .filter((one) => words.every((word) => has(one, word)));
    this.#table.show(
      found.slice(0, MOST_ROWS).map((one) => ({ ...one, age: duration(now - one.began) })),
    );
    const rows = Math.min(found.length, MOST_ROWS);
    setText(this.#shown, `${count(rows)} of ${count(this.#answer.total)}, the newest first`);
  }

  get #words() {
    return this.#filter.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
  }
}

const has = (connection, word) =>
  Object.values(connection).some((value) => typeof value === "string" && value.toLowerCase().includes(word));
