/** One question to one server: over UDP, and over TCP where the answer does not fit (RFC 7766). */
import { Buffer } from "node:buffer";
import { createSocket, type RemoteInfo } from "node:dgram";
import { connect } from "node:net";
import { canonicalHost, formatTarget, isLoopback, parseIp, type Target } from "../../gate/address.ts";
import { GateError } from "../../gate/errors.ts";
import { abortReason } from "../deadline.ts";
import { newQuery, type Query, type Question, readResponse, type Response } from "./message.ts";

/** Far above what we asked for; a longer datagram is none of ours. */
const LARGEST_DATAGRAM = 4096;
/** Some hundreds of addresses; names in a longer message could point at each other for too long. */
const LARGEST_MESSAGE = 16384;
/** Datagrams in the server's name that answer nothing, until the question goes where nobody can forge: TCP. */
const MOST_STRAYS = 16;

/** `server.host` is an IP literal. Never ends by itself where the server is silent: `signal` bounds it. */
export async function exchange(
  server: Target,
  question: Question,
  edns: boolean,
  signal: AbortSignal,
): Promise<Response> {
  const response = await askUdp(server, newQuery(question, edns), signal);
  return response.truncated ? await askTcp(server, newQuery(question, edns), signal) : response;
}

/** From a port of its own that the kernel draws, so that who cannot see the question has to guess id and port. */
function askUdp(server: Target, query: Query, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal, `ask ${formatTarget(server)}`));
    const socket = createSocket(server.host.includes(":") ? "udp6" : "udp4");
    const stop = () => end(() => reject(abortReason(signal, `ask ${formatTarget(server)}`)));
    let ended = false;
    let strays = 0;
    const end = (settle: () => void) => {
      if (ended) return;
      ended = true;
      signal.removeEventListener("abort", stop);
      socket.close();
      settle();
    };
    signal.addEventListener("abort", stop);
    socket.on("error", (cause) => end(() => reject(unreachable(server, cause))));
    socket.on("message", (bytes, from) => {
      if (ended || !isFrom(server, from)) return;
      const response = bytes.length > LARGEST_DATAGRAM ? undefined : readResponse(bytes, query);
      if (response !== undefined) end(() => resolve(response));
      else if (++strays > MOST_STRAYS) end(() => resolve({ rcode: 0, truncated: true, answers: [] }));
    });
    socket.bind(0, ownAddress(server), () => {
      if (ended) return;
      socket.send(query.bytes, server.port, server.host, (cause) => {
        if (cause) end(() => reject(unreachable(server, cause)));
      });
    });
  });
}

/** Checked here, for Deno's connected UDP sockets take datagrams from everybody. */
function isFrom(server: Target, from: RemoteInfo): boolean {
  return from.port === server.port && canonicalHost(from.address) === server.host;
}

/** A server on this machine is asked through a socket that no other machine reaches. */
function ownAddress(server: Target): string | undefined {
  const ip = parseIp(server.host);
  if (ip === undefined || !isLoopback(ip)) return undefined;
  return server.host.includes(":") ? "::1" : "127.0.0.1";
}

function askTcp(server: Target, query: Query, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal, `ask ${formatTarget(server)}`));
    const socket = connect({ host: server.host, port: server.port });
    const inbox = new Inbox();
    const stop = () => end(() => reject(abortReason(signal, `ask ${formatTarget(server)}`)));
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      settle();
    };
    const read = (bytes: Buffer) => {
      const message = inbox.add(bytes);
      if (message === undefined) return;
      const response = readResponse(message, query);
      if (response === undefined || response.truncated) end(() => reject(unusable(server)));
      else end(() => resolve(response));
    };
    signal.addEventListener("abort", stop);
    socket.on("connect", () => socket.write(framed(query.bytes)));
    socket.on("data", (bytes) => read(Buffer.from(bytes)));
    socket.on("error", (cause) => end(() => reject(unreachable(server, cause))));
    socket.on("end", () => end(() => reject(unusable(server))));
  });
}

/** Gathers one message behind its length (RFC 1035 section 4.2.2). */
class Inbox {
  #held = Buffer.alloc(0);

  /** The message once it is whole; empty where it is too long. */
  add(bytes: Buffer): Buffer | undefined {
    this.#held = Buffer.concat([this.#held, bytes.subarray(0, LARGEST_MESSAGE + 2 - this.#held.length)]);
    if (this.#held.length < 2) return undefined;
    const length = this.#held.readUInt16BE(0);
    if (length > LARGEST_MESSAGE) return Buffer.alloc(0);
    return this.#held.length < length + 2 ? undefined : this.#held.subarray(2, length + 2);
  }
}

function framed(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length), bytes]);
}

function unusable(server: Target): GateError {
  const where = formatTarget(server);
  return new GateError(
    "unreachable",
    "upstream",
    `Cannot ask ${where} over TCP: no whole answer to the question`,
  );
}

function unreachable(server: Target, cause: unknown): GateError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EMFILE" || code === "ENFILE") {
    return new GateError(
      "exhausted",
      "gate",
      `Cannot ask ${formatTarget(server)}: no descriptor is left`,
      cause,
    );
  }
  return new GateError("unreachable", "upstream", `Cannot ask ${formatTarget(server)}: no way to it`, cause);
}
