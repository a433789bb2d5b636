/** What a connection speaks is told apart, and who speaks that serves it; what nobody knows goes to the fallback. */
import type { Census } from "./census.ts";
import type { Connection } from "./connection.ts";
import type { Target } from "./address.ts";
import type { Protocol, Protocols } from "./contracts.ts";
import type { Phase, Stream } from "./streams.ts";
import { FirstBytes } from "./engine/first_bytes.ts";
import { now, promiseResolved } from "./engine/loop.ts";
import { Socket } from "./engine/socket.ts";
import { GateError } from "./errors.ts";
import type { EngineGate } from "./gate.ts";
import type { Journal } from "./journal.ts";
import type { Roster } from "./roster.ts";
import type { Ruling } from "./ruling.ts";
import { cannotTell, type Sniffed, type Unknown, withoutPreface } from "./sniff.ts";

export interface DispatcherParts {
  readonly protocols: Protocols;
  readonly proxyProtocol: Protocol;
  readonly census: Census;
  readonly roster: Roster;
  readonly ruling: Ruling;
  readonly journal: Journal;
  readonly gate: EngineGate;
}

export class Dispatcher {
  readonly #parts: DispatcherParts;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** From its first byte to its relay or its end. Never throws: whatever happens ends in the connection's record. */
  serve(connection: Connection): void {
    const { entry, outer } = connection.entrance;
    if (entry.hasProxies) promiseResolved();
    if (outer) this.#serveUnwrapped(connection);
    else if (entry.isProxy(connection.peer.address)) void this.#servePrefaced(connection);
    else this.#serveRaw(connection);
  }

  /** Who a trusted source says it is comes first. */
  async #servePrefaced(connection: Connection): Promise<void> {
    try {
      await this.#readProxyHeader(connection);
    } catch (thrown) {
      return connection.served(thrown);
    }
    this.#serveRaw(connection);
  }

  /** The plain way of a raw connection: no promise before its protocol is known. */
  #serveRaw(connection: Connection): void {
    const { entry } = connection.entrance;
    if (!this.#parts.census.enterSource(connection)) return connection.dismiss();
    try {
      this.#refuseBarred(connection);
    } catch (thrown) {
      connection.stream[Symbol.dispose](); // nothing was answered: there is nothing to linger for
      return connection.served(thrown);
    }
    if (entry.only !== undefined) return this.#speak(connection, entry.only);
    connection.patience(entry.rules.sniffTimeout);
    new FirstBytes(connection.stream as Socket, entry.sniff, (sniffed) => {
      this.#follow(connection, sniffed);
    }, (thrown) => connection.served(thrown));
  }

  #serveUnwrapped(connection: Connection): void {
    const { entry } = connection.entrance;
    if (entry.only !== undefined) return this.#speak(connection, entry.only);
    connection.patience(entry.rules.sniffTimeout);
    const tell = (head: Uint8Array, phase: Phase): { used: 0; sniffed: Sniffed } | number => {
      const sniffed = entry.sniff(head, phase);
      return typeof sniffed === "number" ? sniffed : { used: 0, sniffed };
    };
    const look = (): void => {
      try {
        const told = connection.stream.poll(tell, look);
        if (told) this.#follow(connection, told.sniffed);
      } catch (thrown) {
        connection.served(thrown);
      }
    };
    look();
  }

  #follow(connection: Connection, sniffed: Sniffed): void {
    connection.toldAt = now;
    this.#parts.journal.sniffed(now - connection.began);
    if ("protocol" in sniffed) return this.#speak(connection, sniffed.protocol);
    connection.record.protocol = "unknown";
    this.#fallBack(connection, sniffed.unknown, sniffed.speaks);
  }

  #speak(connection: Connection, protocol: string): void {
    try {
      connection.record.protocol = protocol;
      this.#parts.census.toldApart(connection, protocol);
      connection.deadline(this.#parts.roster.limits.handshakeTimeout);
      const serving = this.#parts.protocols[protocol].serve!(connection, this.#parts.gate);
      if (serving) void this.#serve(connection, serving);
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  async #serve(connection: Connection, serving: Promise<void>): Promise<void> {
    if (!connection.underWay) promiseResolved(); // unless all of it waits for a dial, some of it may go on
    try {
      await serving;
      connection.served();
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  async #readProxyHeader(connection: Connection): Promise<void> {
    connection.deadline(connection.entrance.entry.rules.sniffTimeout);
    const source = await this.#parts.proxyProtocol.preface!(connection.stream);
    if (connection.over) throw new GateError("closed", "client", "Cannot go on: the connection is over");
    connection.peer = { ...connection.peer, ...source };
    connection.proxied = source.address !== undefined; // UNKNOWN and LOCAL speak for the proxy itself
  }

  #fallBack(connection: Connection, unknown: Unknown, speaks: string | undefined): void {
    const { fallback } = connection.rules;
    connection.deadline(0);
    if (fallback && unknown !== "preface") void this.#serve(connection, this.#passOn(connection, fallback));
    else connection.served(cannotTell(unknown, hasEnded(connection.stream), speaks));
  }

  async #passOn(connection: Connection, fallback: Target): Promise<void> {
    this.#parts.census.toldApart(connection, connection.record.protocol);
    using upstream = await this.#parts.ruling.connector.fallback(fallback, connection);
    this.#parts.gate.relay(connection, upstream, { inspect: withoutPreface(this.#parts.proxyProtocol) });
  }

  #refuseBarred(connection: Connection): void {
    const { address } = connection.peer;
    const place = this.#parts.ruling.decider.policy.barred(
      connection.listener,
      address === "unix" ? undefined : address,
    );
    if (place) {
      throw new GateError("denied", "gate", `Cannot accept a connection: its source is denied by ${place}`);
    }
  }
}

const hasEnded = (stream: Stream): boolean => stream instanceof Socket && stream.hungUp;
