import { formatTarget } from "../../gate/address.ts";
import type { ListeningSocket } from "../../gate/engine/bind.ts";
import { GateError } from "../../gate/errors.ts";
import { Listening, type Wanted } from "../../gate/listening.ts";
import type { Bound } from "../../gate/orders.ts";
import { equal, rejects } from "../support/assert.ts";

/** Addresses of a machine on which `:80` and `127.0.0.1:80` exclude each other, and an engine that watches them. */
class Machine {
  /** Open descriptors, by address. */
  readonly open = new Map<string, number>();
  readonly taken = new Set<string>();
  /** Listeners that the engine was told to watch for. */
  readonly told: string[] = [];
  /** What the engine watches. */
  readonly watched = new Set<number>();
  /** Orders to let go that the engine did not obey yet. */
  readonly waiting: (() => void)[] = [];
  hangs = false;
  #next = 3;

  readonly listening = new Listening((wanted) => this.#bind(wanted), {
    listen: ({ fd, listener }) => {
      this.told.push(listener);
      this.watched.add(fd);
    },
    unlisten: ({ fd }) =>
      new Promise((done) => {
        const obey = () => {
          this.watched.delete(fd);
          done();
        };
        if (this.hangs) this.waiting.push(obey);
        else obey();
      }),
  }, 20);

  /** `name address` each; which were handed over. */
  async change(...wanted: readonly string[]): Promise<readonly Bound[]> {
    const change = await this.listening.prepare(wanted.map((one): Wanted => {
      const [listener, host, port] = one.split(" ");
      return { listener, address: { host: host === "*" ? "" : host, port: Number(port) } };
    }));
    const handed = this.listening.handed(change);
    await this.listening.commit(change);
    return handed;
  }

  get bound(): string[] {
    return this.listening.bound.map(({ listener, address }) => `${listener} ${address}`);
  }

  #bind({ address }: Wanted): ListeningSocket {
    const text = formatTarget(address);
    const busy = [...this.open.keys(), ...this.taken].some((other) =>
      other.split(":")[1] === text.split(":")[1] &&
      (other === text || other.startsWith(":") || text.startsWith(":"))
    );
    if (busy) throw new GateError("refused", "gate", `Cannot listen on ${text}: another program has it`);
    const fd = this.#next++;
    this.open.set(text, fd);
    return { fd, address, close: () => void this.open.delete(text) };
  }
}

Deno.test("a descriptor that an engine still watches is open until it lets go, however long that takes", async () => {
  const machine = new Machine();
  await machine.change("a 127.0.0.1 80", "b 127.0.0.1 81");
  machine.hangs = true;
  await machine.change("b 127.0.0.1 81");
  equal(machine.bound, ["b 127.0.0.1:81"]);
  equal([...machine.open.keys()], ["127.0.0.1:80", "127.0.0.1:81"]);
  machine.waiting.forEach((obey) => obey());
  await Promise.resolve();
  equal([...machine.open.keys()], ["127.0.0.1:81"]);
});

Deno.test("who starts while sockets are swapped is told of none that is about to be closed", async () => {
  const machine = new Machine();
  await machine.change("a 127.0.0.1 80", "b 127.0.0.1 81");
  machine.hangs = true;
  const changed = machine.change("a * 80", "b 127.0.0.1 81");
  await Promise.resolve();
  equal([machine.waiting.length, machine.bound], [1, ["b 127.0.0.1:81"]]);
  machine.waiting.forEach((obey) => obey());
  await changed;
  equal([machine.bound, machine.watched.size], [["b 127.0.0.1:81", "a :80"], 2]);
});

Deno.test("an address that is not let go of refuses the change, and counts as bound no more", async () => {
  const machine = new Machine();
  await machine.change("a 127.0.0.1 80");
  machine.hangs = true;
  await rejects(
    machine.change("a * 80"),
    /^Cannot close 127\.0\.0\.1:80: an engine has not let go of it in time$/,
  );
  equal([[...machine.open.keys()], machine.bound], [["127.0.0.1:80"], []]);
  machine.waiting.forEach((obey) => obey());
  await Promise.resolve();
  await machine.change("a 127.0.0.1 80");
  equal([machine.bound, machine.watched.size], [["a 127.0.0.1:80"], 1]);
});

Deno.test("an address that cannot be bound again is bound by the next change that wants it", async () => {
  const machine = new Machine();
  await machine.change("a 127.0.0.1 80", "b 127.0.0.1 81");
  machine.hangs = true;
  const changed = machine.change("a * 80", "b * 81");
  await Promise.resolve();
  machine.taken.add("127.0.0.1:80"); // another program was waiting for this moment
  machine.waiting.forEach((obey) => obey());
  await rejects(
    changed,
    /^Cannot listen on :80: .*; Cannot listen on 127\.0\.0\.1:80: another program has it$/,
  );
  equal(machine.bound, ["b 127.0.0.1:81"]);
  machine.taken.clear();
  machine.hangs = false;
  await machine.change("a 127.0.0.1 80", "b 127.0.0.1 81");
  equal([new Set(machine.bound), machine.watched.size], [new Set(["a 127.0.0.1:80", "b 127.0.0.1:81"]), 2]);
});

Deno.test("a socket that goes to another listener is handed with the rules, and told once", async () => {
  const machine = new Machine();
  await machine.change("a 127.0.0.1 80", "b 127.0.0.1 81");
  const handed = await machine.change("c 127.0.0.1 80", "b 127.0.0.1 81", "d 127.0.0.1 82");
  equal(handed.map(({ listener, address }) => `${listener} ${address}`), ["c 127.0.0.1:80"]);
  equal(machine.told, ["a", "b", "d"]);
  equal(machine.bound, ["c 127.0.0.1:80", "b 127.0.0.1:81", "d 127.0.0.1:82"]);
});

Deno.test("a change on its way when everything closes leaves nothing open, and no other begins", async () => {
  const machine = new Machine(), { listening } = machine;
  await machine.change("a 127.0.0.1 80");
  const change = await listening.prepare([
    { listener: "a", address: { host: "127.0.0.1", port: 80 } },
    { listener: "b", address: { host: "127.0.0.1", port: 81 } },
  ]);
  await listening.close();
  await listening.commit(change);
  equal([[...machine.open], [...machine.watched], machine.bound], [[], [], []]);
  await rejects(listening.prepare([]), /^Cannot listen: the gate stops$/);
});
