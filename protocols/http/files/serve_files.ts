/**
 * Files for one connection of an engine, which speaks HTTP/1.1 as a proxy does: what it sends has been read and judged,
 * and it bounds how long it waits. Runs on the thread of files.
 */
import type { FilesSite } from "../../../gate/requests.ts";
import type { Phase } from "../../../gate/streams.ts";
import { readFileAt, sendFile } from "../../../gate/engine/file_access.ts";
import { again, promiseResolved } from "../../../gate/engine/loop.ts";
import { LOOK_MAX } from "../../../gate/engine/look.ts";
import type { Socket } from "../../../gate/engine/socket.ts";
import { GateError } from "../../../gate/errors.ts";
import type { Fault } from "../faults.ts";
import { MessageHead } from "../message_head.ts";
import { type OwnAnswer, writeOwnAnswer } from "../own_answer.ts";
import { parseRequest } from "../parse_head.ts";
import { type Asked, askedOf } from "./asked.ts";
import { answerOf, type FileAnswer } from "./answered.ts";
import type { ByteRange } from "./byte_ranges.ts";

/** Up to so many octets of a file go with the head: one send, and the engine passes both on with one, too. */
const WITH_HEAD = 64 * 1024;
/** Octets of one call, and of one file before others get their turn. */
const CALL = 1 << 20, TURN = 4 << 20;

const REQUEST = new MessageHead();
const OUT = new Uint8Array(WITH_HEAD + 4096);

interface Read {
  readonly used: number;
  /** undefined: the engine needs the connection no more. */
  readonly asked?: Asked;
}

/** Until the engine closes it. Rejects with GateError. */
export async function serveFiles(socket: Socket, site: FilesSite): Promise<void> {
  const connection = new FilesConnection(socket, site);
  try {
    while (await connection.serveOne());
  } finally {
    socket[Symbol.dispose]();
  }
}

class FilesConnection {
  readonly #socket: Socket;
  readonly #site: FilesSite;

  constructor(socket: Socket, site: FilesSite) {
    this.#socket = socket;
    this.#site = site;
  }

  /** Whether another request may follow. */
  async serveOne(): Promise<boolean> {
    const read = this.#socket.next(readRequest);
    const { asked } = read instanceof Promise ? await read : read;
    if (asked === undefined) return false;
    const answer = answerOf(this.#site, asked);
    if ("status" in answer) await this.#socket.write(octetsOf(answer, asked));
    else await this.#send(answer);
    return true;
  }

  async #send({ head, file, pieces }: FileAnswer): Promise<void> {
    using _file = file;
    const [first] = pieces;
    if (pieces.length === 1 && "from" in first && head.length + first.size <= OUT.length) {
      return await this.#socket.write(OUT.subarray(0, placeWhole(head, file.fd, first)));
    }
    await this.#socket.write(head);
    for (const piece of pieces) {
      if ("from" in piece) await this.#sendRange(file.fd, piece);
      else await this.#socket.write(piece);
    }
  }

  async #sendRange(fd: number, { from, size }: ByteRange): Promise<void> {
    const socket = this.#socket, end = from + size;
    for (let at = from, turn = 0; at < end;) {
      const size = Math.min(CALL, end - at), sent = sendFile(socket.open(), fd, at, size);
      if (sent === 0) throw cut();
      if (sent === -2) {
        throw new GateError("closed", "client", "Cannot send a file: nobody takes it any more");
      }
      at += Math.max(0, sent);
      turn += sent;
      if (sent < size) { // it takes no more now, or the file ends, which the next call tells
        socket.writable = false;
        await socket.untilWritable();
      } else if (turn < TURN) continue;
      else await nextTurn();
      turn = 0;
    }
  }
}

/** For `next` of the engine's connection. */
function readRequest(bytes: Uint8Array, phase: Phase): Read | number {
  if (bytes.length === 0) return phase === "open" ? 1 : { used: 0 };
  const answer = parseRequest(REQUEST, bytes, 0, bytes.length, LOOK_MAX);
  if (typeof answer === "number") return phase === "open" ? answer : { used: 0 };
  if (answer === REQUEST && REQUEST.body === "none") {
    return { used: REQUEST.used, asked: askedOf(REQUEST, bytes) };
  }
  const state = answer === REQUEST ? "it has content" : (answer as Fault).state;
  throw new GateError("malformed", "client", `Cannot read a request for a file: ${state}`);
}

/** The gate's own answer: its Date is the engine's to give, as of all its own. */
const octetsOf = (answer: OwnAnswer, { isHead }: Asked): Uint8Array =>
  writeOwnAnswer(answer, { head: isHead, stays: true });

/** Head and octets of a file in `OUT`; where they end. */
function placeWhole(head: Uint8Array, fd: number, { from, size }: ByteRange): number {
  OUT.set(head);
  const end = head.length + size;
  if (readFileAt(fd, OUT.subarray(head.length, end), from) < size) throw cut();
  return end;
}

/** Its connection ends with that: the client sees that the response is not whole. */
const cut = () => new GateError("closed", "gate", "Cannot send a file: it became shorter meanwhile");

function nextTurn(): Promise<void> {
  return new Promise((resolve) =>
    again(() => {
      promiseResolved();
      resolve();
    })
  );
}
