/** What verbs of the command line print, for who asks through a connection: the running gate answers for itself. */
import type { Configuration } from "../config/configuration.ts";
import type { Node } from "../identity/node_identity.ts";
import { wordsOf } from "../identity/node_words.ts";
import type { Operations, Printed, Reading } from "../operations.ts";
import { visibleJson } from "../visible.ts";
import { connectionLines } from "./connections.ts";
import { idLines } from "./id.ts";
import { NOBODY, nodeLines } from "./nodes.ts";
import { statusLines } from "./status.ts";
import { versionLines, versions } from "./versions.ts";

/** Of which gate. */
export interface Printing {
  readonly operations: Pick<Operations, "status" | "nodes" | "connections">;
  readonly node: Configuration["node"];
  readonly identity: () => Promise<Node>;
}

/** The newest, as `ugate connections` has it by default; and what fits a channel's patience. */
const MOST_CONNECTIONS = 100, MOST_NODES = 1000;

/** Rejects with GateError. */
export async function print(reading: Reading, printing: Printing): Promise<Printed> {
  const { data, lines } = await answerOf(reading, printing);
  const text = reading.json ? visibleJson(data, 2) : lines(reading.columns ?? Infinity).join("\n");
  return { text: `${text}\n`, code: 0 };
}

interface Answer {
  readonly data: unknown;
  readonly lines: (width: number) => string[];
}

async function answerOf({ verb }: Reading, { operations, node, identity }: Printing): Promise<Answer> {
  switch (verb) {
    case "status": {
      const status = await operations.status();
      return { data: status, lines: (width) => statusLines(status, width, new Date()) };
    }
    case "nodes": {
      const all = await operations.nodes(),
        nodes = all.slice(0, MOST_NODES),
        left = all.length - nodes.length;
      const more = left > 0 ? [`${nodes.length} shown of ${all.length} nodes`] : [];
      const lines = (width: number) => [...nodeLines(nodes, width, Date.now()), ...more];
      return { data: { total: all.length, nodes }, lines: all.length === 0 ? () => [NOBODY] : lines };
    }
    case "connections": {
      const live = await operations.connections(MOST_CONNECTIONS);
      return { data: live, lines: (width) => connectionLines(live, width) };
    }
    case "id": {
      const words = wordsOf((await identity()).identity, node.name);
      return { data: words, lines: () => idLines(words, node) };
    }
    case "version":
      return { data: versions(), lines: versionLines };
  }
}
