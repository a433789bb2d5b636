/** `ugate nodes`: who is connected, and under which names. */
import { bytesText, countText, shortText, spanText } from "../amounts.ts";
import type { NodeStatus } from "../operations.ts";
import { visibleJson } from "../visible.ts";
import { findGate, type GateOptions } from "./find_gate.ts";
import { isNodes } from "./gate_answers.ts";
import { outputSize } from "./screen.ts";
import { type Column, table } from "./table.ts";

/** Prints a table, or data; the exit code. */
export async function nodes(options: GateOptions): Promise<number> {
  const gate = await findGate(options);
  const { total, nodes } = await gate.json({ path: `/nodes?most=${MOST}` }, isNodes);
  if (options.json) console.log(visibleJson({ total, nodes }, 2));
  else if (total === 0) console.error(NOBODY);
  else console.log(nodeLines(nodes, outputSize().columns, Date.now()).join("\n"));
  if (nodes.length < total) console.error(`${nodes.length} shown of ${total} nodes`);
  return 0;
}

const MOST = 20_000;
export const NOBODY = "no node is connected";

/** For people; `now` in ms since the epoch. */
export function nodeLines(nodes: readonly NodeStatus[], width: number, now: number): string[] {
  return table(columnsAt(now), nodes, width);
}

const columnsAt = (now: number): Column<NodeStatus>[] => [
  { title: "NAMES", cell: ({ names }) => namesText(names), least: 20 },
  { title: "IDENTITY", cell: ({ identity }) => identity, least: 16, spare: 4 },
  { title: "PROOF", cell: ({ proof }) => proof, spare: 8 },
  { title: "PEER", cell: ({ peer }) => peer, least: 17 },
  { title: "LISTENER", cell: ({ listener }) => listener, least: 8, spare: 7 },
  { title: "CONNECTED", cell: ({ since }) => spanText(now - since), right: true, spare: 1 },
  {
    title: "RTT",
    cell: ({ roundTrip }) => roundTrip === undefined ? "" : shortText(roundTrip),
    right: true,
    spare: 2,
  },
  { title: "STREAMS", cell: ({ streams }) => countText(streams), right: true, spare: 3 },
  { title: "SERVED", cell: ({ served }) => countText(served), right: true, spare: 6 },
  { title: "UP", cell: ({ up }) => bytesText(up), right: true, spare: 5 },
  { title: "DOWN", cell: ({ down }) => bytesText(down), right: true, spare: 5 },
];

/** `pi.mesh.example.com:22,80,443 db.mesh.example.com:5432` */
export function namesText(names: readonly string[]): string {
  const ports = new Map<string, string[]>();
  for (const name of names) {
    const at = name.lastIndexOf(":"), host = name.slice(0, at);
    ports.set(host, [...ports.get(host) ?? [], name.slice(at + 1)]);
  }
  return Array.from(ports, ([host, ports]) => `${host}:${ports.join(",")}`).join(" ");
}
