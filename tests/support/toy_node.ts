/**
 * A toy that offers names: a client says `NODE IDENTITY NAME:PORT=BACKEND ...`, comma between the names of its identity,
 * and is told of each whether it is granted. What is reached through it is a backend on a port of 127.0.0.1.
 */
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Offer, Protocol } from "../../gate/contracts.ts";
import { Dial } from "../../gate/engine/dial.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { PAIR_MARKS_SIZE, PairMarks } from "../../gate/engine/pair_marks.ts";
import { PairedSocket } from "../../gate/engine/paired_socket.ts";
import { descriptorPair } from "../../gate/engine/socket_pair.ts";
import { SpliceRelay } from "../../gate/engine/splice_relay.ts";
import type { GateError } from "../../gate/errors.ts";
import type { Stream } from "../../gate/streams.ts";
import { type Client, connect } from "./net.ts";

const MAGIC = new TextEncoder().encode("NODE ");
const marks = new PairMarks(new SharedArrayBuffer(PAIR_MARKS_SIZE));
const LONGEST_LINE = 8192, IDLE = 60_000;

/** One end here, the other is relayed to a backend once that is dialed. */
function through(backend: number, told: (refused?: GateError) => void): Stream {
  const { one, other } = descriptorPair(), place = marks.claim(0, 0);
  const socket = new PairedSocket(one, "upstream", marks.side(place, 0));
  const far = new PairedSocket(other, "client", marks.side(place, 1));
  new Dial([{ host: "127.0.0.1", port: backend }], 5000, {
    beforeConnect() {},
    stood(upstream) {
      new SpliceRelay(far, upstream, { open: IDLE, halfOpen: IDLE }, { relayed: () => {} }).start();
      told();
    },
    failed(reason) {
      far.abort(reason);
      told(reason);
    },
  });
  return socket;
}

function offerOf(text: string, lost: (reason: GateError) => void): Offer {
  const [name, backend] = text.split("="), colon = name.lastIndexOf(":");
  return {
    name: name.slice(0, colon),
    port: Number(name.slice(colon + 1)),
    roundTrip: 7,
    open: (_target: Target, _from, told) => through(Number(backend), told),
    lost,
  };
}

async function serve(conn: Conn, gate: Gate): Promise<void> {
  const { stream } = conn;
  const { line } = await stream.next((bytes, phase) => {
    const end = bytes.indexOf(10);
    if (end < 0 && phase === "open" && bytes.length < LONGEST_LINE) return bytes.length + 1;
    return { used: end + 1, line: new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))) };
  });
  conn.deadline(0);
  const [, names, ...offers] = line.split(" "), all = names.split(",");
  if (names !== "-") conn.peer = { ...conn.peer, identity: { name: all[0], names: all, proof: "ssh key" } };
  const say = (text: string) => void stream.write(new TextEncoder().encode(`${text}\n`));
  for (const text of offers) {
    const offer = offerOf(text, ({ message }) => say(`lost ${text} ${message}`));
    gate.offer(conn, offer, (refused) => {
      promiseResolved();
      say(refused ? `refused ${refused.failure} ${refused.message}` : `granted ${text}`);
    });
  }
  await stream.read(new Uint8Array(1)); // until the client ends
}

export const node: Protocol = {
  naming: "nothing",
  sniff: (head) => {
    for (let i = 0; i < Math.min(head.length, MAGIC.length); i++) if (head[i] !== MAGIC[i]) return false;
    return head.length >= MAGIC.length || MAGIC.length;
  },
  serve,
};

/** A client of it. */
export class ToyNode implements AsyncDisposable {
  private constructor(readonly client: Client) {}

  static async connect(port: number, identity: string, ...offers: string[]): Promise<ToyNode> {
    const node = new ToyNode(await connect(port));
    await node.client.write(`NODE ${identity} ${offers.join(" ")}\n`);
    return node;
  }

  /** What it is told next. */
  async told(): Promise<string> {
    return new TextDecoder().decode(await this.client.readTo("\n")).trimEnd();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client[Symbol.asyncDispose]();
  }
}
