/**
 * A server on loopback that answers no connect: its queue of one is full, and nobody accepts. It needs no thread: the
 * kernel alone would answer.
 */
import net from "node:net";
import type { Target } from "../../gate/address.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from "../../gate/engine/layout.ts";
import { localAddress, socketAddress } from "../../gate/engine/sockaddr.ts";
import { libc } from "../../gate/engine/sys.ts";

/** A connect that is not answered in this time meets a full queue, ms. */
const FULL_AFTER = 200;
const MOST_QUEUED = 8;

export class Deaf implements AsyncDisposable {
  private constructor(readonly target: Target, readonly fd: number, readonly queued: net.Socket[]) {}

  static async start(): Promise<Deaf> {
    const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const { bytes, size } = socketAddress({ host: "127.0.0.1", port: 0 });
    if (libc.bind(fd, bytes, size) < 0 || libc.listen(fd, 0) < 0) {
      throw new Error("Cannot listen without a queue");
    }
    const deaf = new Deaf(localAddress(fd)!, fd, []);
    for (let i = 0; i < MOST_QUEUED; i++) if (!await deaf.#isQueued()) return deaf;
    await deaf[Symbol.asyncDispose]();
    throw new Error(`a queue of none took ${MOST_QUEUED} connections`);
  }

  /** Whether one more connect was answered. */
  #isQueued(): Promise<boolean> {
    const socket = net.connect({ port: this.target.port, host: this.target.host });
    this.queued.push(socket);
    socket.on("error", () => {});
    return new Promise((answer) => {
      const late = setTimeout(() => {
        socket.destroy();
        answer(false);
      }, FULL_AFTER);
      socket.once("connect", () => {
        clearTimeout(late);
        answer(true);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    libc.close(this.fd);
    await Promise.all(this.queued.map((socket) =>
      new Promise<void>((closed) => {
        if (socket.closed) return closed();
        socket.once("close", () => closed());
        socket.destroy();
      })
    ));
  }
}
