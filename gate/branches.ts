/**
 * Connections that another one brings about: its channels, and who comes in at sockets that its client asked for. Each is
 * counted, recorded and judged as a connection of its own.
 */
import { formatTarget, isUnixHost, type Target } from "./address.ts";
import { type Asking, askingOf } from "./asking.ts";
import type { Census } from "./census.ts";
import type { Connection } from "./connection.ts";
import type { Conn, Listening, Peer } from "./contracts.ts";
import type { Decider } from "./decide.ts";
import { AF_UNIX } from "./engine/layout.ts";
import { closeOwned } from "./engine/owned.ts";
import { listenPrivately, type PrivateListening } from "./engine/private_listening.ts";
import { Socket } from "./engine/socket.ts";
import type { Entrance } from "./entry.ts";
import { asGateError, GateError } from "./errors.ts";
import type { Place } from "./limits.ts";
import type { Mesh } from "./mesh/mesh.ts";
import type { Stream } from "./streams.ts";

/** Sockets that one connection may have asked for. */
const MOST_LISTENING = 64;

export interface BranchesParts {
  readonly census: Census;
  readonly ruling: { readonly decider: Decider };
  /** Tells the log what somebody may not have any more. */
  readonly mesh: Pick<Mesh, "noName">;
  readonly enter: (stream: Stream, peer: Peer, entrance: Entrance, place: Place) => Connection;
}

export class Branches {
  readonly #parts: BranchesParts;
  readonly #listening = new Map<Connection, Set<ClientListening>>();

  constructor(parts: BranchesParts) {
    this.#parts = parts;
  }

  /** Throws GateError "exhausted". */
  channel(stream: Stream, outer: Connection): Connection {
    const peer = { ...outer.peer, layers: [...outer.peer.layers, outer.record.protocol] };
    const connection = this.#enter(stream, peer, { ...outer.entrance, outer, branch: "channel" });
    connection.record.user = outer.record.user;
    return connection;
  }

  /** Throws GateError. */
  listen(address: Target, outer: Connection, taken: (conn: Conn) => void): Listening {
    if (outer.over) throw new GateError("closed", "client", "Cannot listen: the connection is over");
    const own = this.#ofConnection(outer);
    if (own.size >= MOST_LISTENING) {
      throw new GateError("exhausted", "gate", `Cannot listen: ${MOST_LISTENING} sockets are open for it`);
    }
    this.#permit(address, outer);
    const listening = new ClientListening(
      listenPrivately(address, {
        accepted: (fd, from, family) => this.#accepted(fd, from, family, listening, taken),
        paused: () => this.#parts.census.hit("descriptors"),
      }),
      outer,
      () => own.delete(listening),
    );
    own.add(listening);
    return listening;
  }

  /** Closes what policy does not permit any more. */
  judge(): void {
    for (const [outer, own] of this.#listening) {
      for (const listening of [...own]) {
        try {
          this.#permit(listening.address, outer);
        } catch (thrown) {
          const reason = asGateError(thrown), { host: name, port } = listening.address;
          listening[Symbol.dispose]();
          this.#parts.mesh.noName(outer, { name, port }, reason);
          for (const branch of [...listening.branches]) branch.abort(reason);
          listening.lost?.(reason);
        }
      }
    }
  }

  #ofConnection(outer: Connection): Set<ClientListening> {
    const known = this.#listening.get(outer);
    if (known) return known;
    const own = new Set<ClientListening>();
    this.#listening.set(outer, own);
    outer.atEnd(() => {
      this.#listening.delete(outer);
      for (const listening of [...own]) listening[Symbol.dispose]();
    });
    return own;
  }

  /** A path of the disk is for whom a rule gives it; of the network the client's own key speaks. Throws GateError. */
  #permit(address: Target, outer: Connection): void {
    if (!isUnixHost(address.host)) return;
    const asking: Asking = askingOf(outer, "target", outer.trusted, address);
    const { verdict, by } = this.#parts.ruling.decider.policy.judge(asking, { target: address }, address);
    if (verdict === "allow") return;
    throw new GateError("denied", "gate", `Cannot listen on ${formatTarget(address)}: refused by ${by}`);
  }

  #accepted(
    fd: number,
    from: Target,
    family: number,
    { outer, address, branches }: ClientListening,
    taken: (conn: Conn) => void,
  ): void {
    let connection: Connection;
    try {
      connection = this.#enterSocket(fd, from, family, outer);
    } catch {
      return; // a limit, which is counted
    }
    connection.record.target = formatTarget(address);
    if (!this.#parts.census.enterSource(connection)) return connection.dismiss();
    branches.add(connection);
    connection.atEnd(() => branches.delete(connection));
    const source = family === AF_UNIX ? undefined : from.host;
    const by = this.#parts.ruling.decider.policy.barred(connection.listener, source);
    if (by === undefined) return taken(connection);
    connection.stream[Symbol.dispose](); // nothing was answered: there is nothing to linger for
    connection.served(
      new GateError("denied", "gate", `Cannot accept a connection: its source is denied by ${by}`),
    );
  }

  #enterSocket(fd: number, from: Target, family: number, outer: Connection): Connection {
    let socket: Socket;
    try {
      socket = new Socket(fd, "client", family);
    } catch (thrown) {
      closeOwned(fd);
      throw thrown;
    }
    const peer: Peer = family === AF_UNIX
      ? { address: "unix", layers: [] }
      : { address: from.host, port: from.port, layers: [] };
    try {
      return this.#enter(socket, peer, { ...outer.entrance, outer, branch: "accepted" });
    } catch (thrown) {
      socket[Symbol.dispose]();
      throw thrown;
    }
  }

  #enter(stream: Stream, peer: Peer, entrance: Entrance): Connection {
    const { census, enter } = this.#parts, place = census.claim(undefined), { outer } = entrance;
    if (place === undefined) throw tooMany();
    const { protocol } = outer!.record, connection = enter(stream, peer, entrance, place);
    connection.record.protocol = protocol;
    try {
      census.toldApart(connection, protocol);
    } catch (thrown) {
      connection.dismiss();
      throw thrown;
    }
    return connection;
  }
}

const tooMany = () =>
  new GateError("exhausted", "gate", "Cannot take a stream: there are too many connections");

/** A listening socket, and who came in there. */
class ClientListening implements Listening {
  readonly branches = new Set<Connection>();
  lost?: (reason: GateError) => void;

  constructor(
    private readonly socket: PrivateListening,
    readonly outer: Connection,
    private readonly closed: () => void,
  ) {}

  get address(): Target {
    return this.socket.address;
  }

  [Symbol.dispose](): void {
    this.socket.close();
    this.closed();
  }
}
