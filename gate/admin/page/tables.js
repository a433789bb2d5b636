/** The tables that a status fills: listeners, endpoints, limits. */
import { find, Table } from "./dom.js";
import { bytesText, count } from "./format.js";

const LISTENERS = [
  { title: "Listener", text: ({ listener }) => listener, kind: "plain" },
  { title: "Address", text: ({ address }) => address, kind: "mono" },
  { title: "Protocols", text: ({ protocols }) => protocols.join(", ") },
  { title: "Active", text: ({ active }) => count(active), kind: "number" },
  { title: "Ended", text: ({ ended }) => count(ended), kind: "number" },
  { title: "In", text: ({ up }) => bytesText(up), kind: "number" },
  { title: "Out", text: ({ down }) => bytesText(down), kind: "number" },
];

const ENDPOINTS = [
  { title: "Route", text: ({ route }) => route },
  { title: "Endpoint", text: ({ endpoint }) => endpoint, kind: "mono" },
  { title: "Active", text: ({ active }) => count(active), kind: "number" },
  {
    title: "Health",
    text: ({ usable }) => usable ? "usable" : "left out",
    kind: "brief",
    state: ({ usable }) => usable ? "good" : "bad",
  },
];

const LIMITS = [
  { title: "Limit", text: ([name]) => name },
  { title: "Times", text: ([, times]) => count(times), kind: "number" },
];

export class Tables {
  #listeners = new Table(find("listeners"), {
    columns: LISTENERS,
    key: ({ listener }) => listener,
    nothing: "No listeners",
  });
  #endpoints = new Table(find("routes"), {
    columns: ENDPOINTS,
    key: ({ route, endpoint }) => `${route}\n${endpoint}`,
    nothing: "No route leads anywhere of its own",
  });
  #limits = new Table(find("limits"), { columns: LIMITS, key: ([name]) => name, nothing: "None" });

  show({ listeners, endpoints, limitHits }) {
    this.#listeners.show(listeners);
    this.#endpoints.show(endpoints);
    const hit = Object.entries(limitHits).filter(([, times]) => times > 0);
    this.#limits.show(hit.toSorted(([, a], [, b]) => b - a));
  }
}
