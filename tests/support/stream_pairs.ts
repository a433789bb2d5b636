/** Connected pairs of every kind of stream that an engine has. */
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Protocol } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { listenOn } from "../../gate/engine/bind.ts";
import { dial } from "../../gate/engine/dial.ts";
import { AF_INET, AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../gate/engine/layout.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { Socket } from "../../gate/engine/socket.ts";
import { libc } from "../../gate/engine/sys.ts";
import type { Pair, StreamSubject } from "../conformance/stream.ts";
import { NO_KEYS } from "./no_keys.ts";
import { pause } from "./on_loop.ts";
import { mux } from "./toy_mux.ts";
import { xor } from "./toy_xor.ts";

let made = 0;

async function rawPair(address: Target, family: number): Promise<Pair> {
  const listening = listenOn(address);
  try {
    const dialed = await dial([listening.address], 2000);
    const fd = libc.accept4(listening.fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) throw new Error("nothing to accept");
    return [dialed, new Socket(fd, "client", family)];
  } finally {
    listening.close();
  }
}

/** One more layer: what `protocol` wraps at one end it unwraps at the other. */
export async function over(protocol: Protocol, lower: () => Promise<Pair>): Promise<Pair> {
  const [a, b] = await lower();
  const entered = Promise.withResolvers<Stream>();
  const conn = { stream: b, deadline: () => {} } as unknown as Conn;
  const gate = {
    enter: (inner: Stream) => {
      promiseResolved();
      entered.resolve(inner);
    },
  } as unknown as Gate;
  protocol.serve!(conn, gate)?.catch(() => {}); // its streams tell it
  const address = { host: "pair", port: ++made };
  const from = { peer: { address: "pair", layers: [] }, signal: AbortSignal.abort(), ...NO_KEYS };
  const outer = await protocol.wrap!({ address, layers: [] }, () => Promise.resolve(a), from);
  await outer.write(new Uint8Array([1])); // some layers tell of a stream by its first bytes
  const inner = await entered.promise;
  await inner.read(new Uint8Array(1));
  return [outer, inner];
}

const tcp = () => rawPair({ host: "127.0.0.1", port: 0 }, AF_INET);
const unix = () => rawPair({ host: `unix:@ugate-test-${Deno.pid}-${++made}`, port: 0 }, AF_UNIX);
const settle = () => pause(2);

export const SUBJECTS: Readonly<Record<string, StreamSubject>> = {
  "TCP": { pair: tcp, resets: true, settle },
  "a unix socket": { pair: unix, resets: false, settle },
  "xor": { pair: () => over(xor, tcp), resets: true, settle },
  "mux": { pair: () => over(mux, tcp), resets: true, settle },
  "xor over mux": { pair: () => over(xor, () => over(mux, tcp)), resets: true, settle },
  "mux over xor": { pair: () => over(mux, () => over(xor, tcp)), resets: true, settle },
};
