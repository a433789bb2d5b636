/** A port of loopback whose connections are streams of the engine, on the test's own thread, and peers outside it. */
import { Acceptor } from "../../gate/engine/acceptor.ts";
import { listenOn } from "../../gate/engine/bind.ts";
import { again, promiseResolved } from "../../gate/engine/loop.ts";
import { Socket } from "../../gate/engine/socket.ts";

export class EnginePort implements Disposable {
  readonly port: number;
  readonly #listening = listenOn({ host: "127.0.0.1", port: 0 });
  readonly #acceptor: Acceptor;
  readonly #accepted: Socket[] = [];
  #wake: (() => void) | undefined;

  constructor() {
    this.port = this.#listening.address.port;
    this.#acceptor = new Acceptor(this.#listening.fd, {
      accepted: (fd, _from, family) => {
        this.#accepted.push(new Socket(fd, "client", family));
        promiseResolved();
        this.#wake?.();
      },
      paused: () => {},
    });
  }

  async accept(): Promise<Socket> {
    while (this.#accepted.length === 0) await new Promise<void>((wake) => this.#wake = wake);
    return this.#accepted.shift()!;
  }

  [Symbol.dispose](): void {
    this.#acceptor.close();
    this.#listening.close();
    for (const socket of this.#accepted) socket.close();
  }
}

/** Waits for what the runtime itself brings, a child's output or a socket of node: the loop turns on meanwhile. */
export async function outside<T>(promise: Promise<T>): Promise<T> {
  let waiting = true;
  const turn = () => {
    if (!waiting) return;
    promiseResolved();
    again(turn);
  };
  turn();
  try {
    return await promise;
  } finally {
    waiting = false;
  }
}
