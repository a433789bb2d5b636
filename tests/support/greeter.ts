/** A server that speaks first, and finds its end of a client's connection through the gate. */
import { equal } from "./assert.ts";
import { Client, listen, type TestServer } from "./net.ts";

/** Digits of the number in a greeting. */
const DIGITS = 6;

export class Greeter implements AsyncDisposable {
  readonly #ends: Client[] = [];
  #server!: TestServer;

  private constructor() {}

  static async start(): Promise<Greeter> {
    const greeter = new Greeter();
    greeter.#server = await listen((socket) => {
      socket.write(String(greeter.#ends.push(new Client(socket)) - 1).padStart(DIGITS, "0"));
    });
    return greeter;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Once the greeting came: the server's end of it, which was sent `first` and nothing else yet. */
  async greeted(client: Client, first = ""): Promise<Client> {
    const end = this.end(Number(new TextDecoder().decode(await client.read(DIGITS))));
    equal(new TextDecoder().decode(await end.read(first.length)), first);
    return end;
  }

  /** The server's end of its connection of that number, from 0. */
  end(number: number): Client {
    return this.#ends[number];
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}
