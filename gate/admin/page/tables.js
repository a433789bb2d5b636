/** The tables that a status fills: listeners, endpoints, certificates, limits. */
import { find, Table } from "./dom.js";
import { bytesText, count, duration } from "./format.js";

/** ms: one that ends so soon was to be renewed. */
const SOON = 7 * 24 * 60 * 60 * 1000;

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

/** Until its end, ms; none: nobody has issued it. */
const leftOf = ({ expires }) => expires === undefined ? -1 : Date.parse(expires) - Date.now();

const CERTIFICATES = [
  { title: "Certificate", text: ({ names, file }) => names.join(", ") || file, kind: "plain" },
  { title: "Ends", text: ({ expires }) => expires?.slice(0, 10) ?? "not issued", kind: "brief" },
  {
    title: "Left",
    text: (one) => leftOf(one) > 0 ? duration(leftOf(one)) : one.expires ? "expired" : "–",
    kind: "brief",
    state: (one) => leftOf(one) > SOON ? "" : "bad",
  },
  { title: "From", text: ({ source, issuer }) => source === "acme" ? "authority" : issuer ?? "file" },
  { title: "State", text: ({ failure }) => failure ?? "", state: ({ failure }) => failure ? "bad" : "" },
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
  #certificates = new Table(find("certificates"), {
    columns: CERTIFICATES,
    key: ({ source, file, names }) => [source, file, ...names].join("\n"),
    nothing: "None",
  });
  #limits = new Table(find("limits"), { columns: LIMITS, key: ([name]) => name, nothing: "None" });

  show({ listeners, endpoints, certificates, limitHits }) {
    this.#listeners.show(listeners);
    this.#endpoints.show(endpoints);
    find("tls").hidden = certificates.length === 0;
    this.#certificates.show(certificates);
    const hit = Object.entries(limitHits).filter(([, times]) => times > 0);
    this.#limits.show(hit.toSorted(([, a], [, b]) => b - a));
  }
}
