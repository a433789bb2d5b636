/** Pairs of streams that are channels of SSH, over any pair of streams. */
import type { Stream } from "../../gate/streams.ts";
import type { GateError } from "../../gate/errors.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { Connection } from "../../protocols/ssh/channels/connection.ts";
import type { Opening } from "../../protocols/ssh/channels/opening.ts";
import { type Settings, Transport } from "../../protocols/ssh/transport.ts";
import type { Pair } from "../conformance/stream.ts";
import { believing, makeHostKey } from "./ssh_transport.ts";

const key = makeHostKey();
const NOTHING = new Uint8Array(0);
/** Long for a machine under load, ms. */
const EXCHANGE_TIME = 5000;

export interface Sides {
  readonly client: Connection;
  readonly server: Connection;
  /** Channels that were opened to the server. */
  readonly openings: Opening[];
  /** Why each side broke. */
  readonly broken: { client?: GateError; server?: GateError };
}

/** Both sides of a connection over these streams, up to where channels may be opened. */
export async function connected(
  [a, b]: readonly [Stream, Stream],
  settings: Partial<Settings> = {},
  opens: (opening: Opening) => void = (opening) => void opening.accept(),
): Promise<Sides> {
  const secured = Promise.withResolvers<void>(), openings: Opening[] = [], broken: Sides["broken"] = {};
  const common = { exchangeTimeout: EXCHANGE_TIME, ...settings };
  let client: Connection, server: Connection;
  const failed = (who: "client" | "server", reason: GateError) => {
    broken[who] = reason;
    promiseResolved();
    secured.reject(reason);
  };
  const up = new Transport("client", a.joint!(), { ...common, trust: believing(key) }, {
    secured: () => up.requestService("ssh-userauth"),
    service: () => {
      client = new Connection(up, {
        opens: (opening) => opening.refuse(1, "not here"),
        request: (_name, _from, answer) => answer?.no(),
        emptied: () => up.disconnect(11, "no channel is left"),
        broke: (reason) => failed("client", reason),
      }, { most: 100, roundTrip: 1 });
      promiseResolved();
      secured.resolve();
      return true;
    },
    message: () => false,
    flush: () => {},
    room: () => {},
    broke: (reason) => failed("client", reason),
  });
  const down = new Transport("server", b.joint!(), { ...common, hostKeys: [key] }, {
    service: () => {
      server = new Connection(down, {
        opens: (opening) => {
          openings.push(opening);
          opens(opening);
        },
        request: (name, from, answer) => name === "echo" ? answer?.yes(from.string().slice()) : answer?.no(),
        broke: (reason) => failed("server", reason),
      }, { most: 100, roundTrip: 1 });
      return true;
    },
    message: () => false,
    flush: () => {},
    room: () => {},
    broke: (reason) => failed("server", reason),
  });
  await secured.promise;
  return { client: client!, server: server!, openings, broken };
}

/** One more layer: a channel of a connection of its own. */
export async function sshOver(lower: () => Promise<Pair>, settings?: Partial<Settings>): Promise<Pair> {
  const opened = Promise.withResolvers<Stream>();
  const { client } = await connected(await lower(), settings, (opening) => {
    promiseResolved();
    opened.resolve(opening.accept().stream);
  });
  const confirmed = Promise.withResolvers<void>();
  const near = client.open("direct-tcpip", NOTHING, {
    opened: () => {
      promiseResolved();
      confirmed.resolve();
    },
  });
  await confirmed.promise;
  return [near.stream, await opened.promise as Pair[1]];
}
