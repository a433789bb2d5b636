/**
 * Cuts loops of the gate onto itself. A socket that is about to connect to one of the gate's own listeners is bound to
 * a local port first, and how deep the connection already is stands in shared memory under that port: the accepting
 * engine reads it there. Unix sockets are bound to an automatic abstract name (five hex digits), which is used alike.
 */
import { AF_INET6, AF_UNIX, errnoName } from "./layout.ts";
import { ipSocketAddress, localAddress } from "./sockaddr.ts";
import { errno, libc } from "./sys.ts";
import { parseIp } from "../address.ts";
import { GateError } from "../errors.ts";

const PORTS = 65536, NAMES = 1 << 20;
/** Bytes of the shared memory. */
export const OWN_DIALS_SIZE = 2 * (PORTS + NAMES);
/** A mark is a depth, and above its bits who made it. */
const DEPTH_BITS = 3, DEPTH = (1 << DEPTH_BITS) - 1;
/** A connection that came through the gate this often is a loop. */
export const MOST_DEPTH = 4;

const ANY_V4 = ipSocketAddress(parseIp("0.0.0.0")!, 0), ANY_V6 = ipSocketAddress(parseIp("::")!, 0);
const AUTOBIND = { bytes: new Uint8Array([AF_UNIX, 0]), size: 2 };

export class OwnDials {
  readonly #marks: Uint16Array;
  readonly #engine: number;

  /** For the marks of one engine. */
  constructor(shared: SharedArrayBuffer, engine: number) {
    this.#marks = new Uint16Array(shared);
    this.#engine = engine;
  }

  /** Marks the fresh socket `fd` with the depth of the connection it will make. The mark is 0 again once released. */
  mark(fd: number, family: number, depth: number): number {
    const any = family === AF_UNIX ? AUTOBIND : family === AF_INET6 ? ANY_V6 : ANY_V4;
    const bound = libc.bind(fd, any.bytes, any.size) === 0 ? localAddress(fd) : undefined;
    if (!bound) {
      throw new GateError("exhausted", "gate", `Cannot connect to this gate itself: ${errnoName(errno())}`);
    }
    const place = this.#place(bound);
    this.#marks[place] = this.#engine << DEPTH_BITS | depth;
    return place;
  }

  release(place: number): void {
    this.#marks[place] = 0;
  }

  /** Takes away what this engine marked: it is dead. */
  forget(): void {
    const marks = this.#marks, engine = this.#engine;
    for (let place = 0; place < marks.length; place++) {
      if (marks[place] !== 0 && marks[place] >> DEPTH_BITS === engine) marks[place] = 0;
    }
  }

  /** How often a connection from there came through this gate already; 0: it did not. */
  depth(host: string, port: number): number {
    if (host === "unix") return 0;
    const place = this.#place({ host, port });
    return place < 0 ? 0 : this.#marks[place] & DEPTH;
  }

  #place({ host, port }: { host: string; port: number }): number {
    if (!host.startsWith("unix:@")) return port;
    const name = parseInt(host.slice(6), 16);
    return host.length === 11 && name >= 0 ? PORTS + name : -1;
  }
}
