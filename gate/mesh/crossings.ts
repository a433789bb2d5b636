/**
 * Streams to what connections of another engine offer: a pair of sockets, one end of which that engine takes. Its first
 * byte tells whether the way stands.
 */
import type { Target } from "../address.ts";
import { JointRelay } from "../engine/joint_relay.ts";
import { closeOwned } from "../engine/owned.ts";
import type { PairMarks } from "../engine/pair_marks.ts";
import { PairedSocket } from "../engine/paired_socket.ts";
import { descriptorPair } from "../engine/socket_pair.ts";
import { asGateError, FAILURES, GateError, NotConnected } from "../errors.ts";
import type { Stream } from "../streams.ts";
import type { LiveRow } from "./live_names.ts";

/** Whom a stream is for; a unix socket has port 0. */
export interface From {
  readonly address: string;
  readonly port: number;
}

/** What the other engine has to know: plain data. */
export interface Crossing {
  /** The end of the pair that is to be taken, and the place of the pair's marks. */
  readonly fd: number;
  readonly place: number;
  /** Of the registration. */
  readonly id: number;
  readonly target: Target;
  readonly from: From;
}

export interface CrossingsParts {
  readonly engine: number;
  readonly marks: PairMarks;
  readonly tell: (engine: number, crossing: Crossing) => void;
  /** ms */
  readonly idleTimeout: () => number;
}

/** Opens the stream behind a registration of this engine. Throws GateError. */
export type OpenHere = (
  id: number,
  target: Target,
  from: From,
  told: (refused?: GateError) => void,
) => Stream;

/** The first byte: the way stands; nobody is connected any more; else one more than the failure's place. */
const STANDS = 0, NOT_CONNECTED = 255;

export class Crossings {
  readonly #parts: CrossingsParts;

  constructor(parts: CrossingsParts) {
    this.#parts = parts;
  }

  /** As Offer has it. */
  open({ engine, id }: LiveRow, target: Target, from: From, told: (refused?: GateError) => void): Stream {
    const { marks } = this.#parts, place = marks.claim(this.#parts.engine, engine);
    const { socket, other } = pairAt(place, marks);
    this.#parts.tell(engine, { fd: other, place, id, target, from });
    const answered = (refused?: GateError): void => {
      if (refused) socket.abort(refused); // nobody gets it: it is nobody else's to close
      told(refused);
    };
    const look = (): void => {
      try {
        const answer = socket.poll(readAnswer, look);
        if (answer) answered(answer.refused);
      } catch (thrown) {
        answered(asGateError(thrown));
      }
    };
    look();
    return socket;
  }

  /** The end of a pair that another engine opened, for what is offered here. */
  serve({ fd, place, id, target, from }: Crossing, open: OpenHere): void {
    const socket = new PairedSocket(fd, "client", this.#parts.marks.side(place, 1));
    let stream: Stream | undefined;
    const answer = (refused?: GateError): void => {
      socket.onGone = undefined;
      try {
        void socket.write(Uint8Array.of(refused ? codeOf(refused) : STANDS)); // a pair that is empty takes a byte
        if (refused) socket.close();
        else {
          const idle = this.#parts.idleTimeout(), patience = { open: idle, halfOpen: idle };
          new JointRelay(socket, stream!, patience, { relayed: () => {} }).start();
        }
      } catch (thrown) { // who wanted it is gone, or what was opened broke
        stream?.abort(asGateError(thrown));
        socket.abort(asGateError(thrown));
      }
    };
    socket.onGone = (reason) => {
      stream?.abort(reason);
      socket.close();
    };
    try {
      stream = open(id, target, from, answer);
    } catch (thrown) {
      answer(asGateError(thrown));
    }
  }
}

function pairAt(place: number, marks: PairMarks): { socket: PairedSocket; other: number } {
  const mark = marks.side(place, 0), ends: number[] = [];
  try {
    const { one, other } = descriptorPair();
    ends.push(one, other);
    return { socket: new PairedSocket(one, "upstream", mark), other };
  } catch (thrown) {
    for (const fd of ends) closeOwned(fd);
    mark.closed();
    marks.side(place, 1).closed();
    throw thrown;
  }
}

const codeOf = (reason: GateError): number =>
  reason instanceof NotConnected ? NOT_CONNECTED : 1 + FAILURES.indexOf(reason.failure);

function readAnswer(bytes: Uint8Array): { used: 1; refused: GateError | undefined } | number {
  if (bytes.length === 0) return 1;
  const [code] = bytes, state = "who is connected under its name refused";
  if (code === STANDS) return { used: 1, refused: undefined };
  if (code === NOT_CONNECTED) {
    const gone = new NotConnected("unreachable", "upstream", "Cannot connect: it is not connected any more");
    return { used: 1, refused: gone };
  }
  const failure = FAILURES[code - 1] ?? "internal";
  return { used: 1, refused: new GateError(failure, "upstream", `Cannot connect: ${state} (${failure})`) };
}
