import { need } from "../../../scripts/clients.ts";
import type { Target } from "../../../gate/address.ts";
import { type ListeningSocket, listenOn } from "../../../gate/engine/bind.ts";
import { InheritedSockets } from "../../../gate/engine/inherited.ts";
import { AF_INET, F_GETFL, F_SETFL, O_NONBLOCK, SOCK_STREAM } from "../../../gate/engine/layout.ts";
import { libc } from "../../../gate/engine/sys.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { activated } from "../../support/activation.ts";
import { Folder, succeed } from "../../support/child.ts";
import { connect, connectUnix } from "../../support/net.ts";

const F_DUPFD = 0, F_GETFD = 1;

/** A service manager that bound these: it holds its own descriptors, and passes copies that block. */
class Manager implements Disposable {
  readonly #own: ListeningSocket[];
  readonly addresses: Target[];
  constructor(...targets: Target[]) {
    this.#own = targets.map(listenOn);
    this.addresses = this.#own.map(({ address }) => address);
  }

  pass(index: number, name: string): { fd: number; name: string } {
    const fd = libc.fcntl(this.#own[index].fd, F_DUPFD, 3);
    libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) & ~O_NONBLOCK);
    return { fd, name };
  }

  [Symbol.dispose](): void {
    for (const socket of this.#own) socket.close();
  }
}

const at = (host: string, port = 0): Target => ({ host, port });

Deno.test("a socket named like a listener serves it at the address both are bound to", () => {
  using manager = new Manager(at("127.0.0.1"), at(""), at("::"), at("::1"), at("unix:@ugate-inherited"));
  for (const [index, address] of manager.addresses.entries()) {
    const passed = manager.pass(index, "edge");
    using sockets = new InheritedSockets([passed]);
    const place = { listener: "edge", address };
    equal(sockets.sortOut([place]), []);
    equal(sockets.take({ listener: "other", address }), undefined);
    const taken = sockets.take(place)!;
    equal([taken.fd, taken.address], [passed.fd, address]);
    ok((libc.fcntl(passed.fd, F_GETFL, 0) & O_NONBLOCK) !== 0);
    equal(libc.fcntl(passed.fd, F_GETFD, 0), 1);
    equal(sockets.take(place), undefined, "it is taken");
    taken.close();
  }
});

Deno.test("several of one name serve the addresses of one listener", () => {
  using manager = new Manager(at("127.0.0.1"), at("::1"));
  using sockets = new InheritedSockets([manager.pass(0, "edge"), manager.pass(1, "edge")]);
  const [v4, v6] = manager.addresses.map((address) => ({ listener: "edge", address }));
  equal(sockets.sortOut([v6, v4]), []);
  const taken = [sockets.take(v6)!, sockets.take(v4)!];
  equal(taken.map(({ address }) => address), [v6.address, v4.address]);
  for (const socket of taken) socket.close();
});

Deno.test("what is given back listens on, is taken again by a later configuration, and keeps its file", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/sock`;
  using manager = new Manager(at(`unix:${path}`));
  const place = { listener: "edge", address: manager.addresses[0] };
  {
    using sockets = new InheritedSockets([manager.pass(0, "edge")]);
    const first = sockets.take(place)!;
    first.close();
    first.close();
    equal(sockets.take(place)?.fd, first.fd);
    equal(sockets.take(place), undefined, "the second close gave it back once more");
    libc.close(first.fd);
  }
  ok(Deno.lstatSync(path).isSocket);
  await using client = await connectUnix(path);
  client.end();
});

Deno.test("a socket named like a listener and bound elsewhere is an error that says both", () => {
  using manager = new Manager(at("127.0.0.1"), at("::"), at(""));
  const wrong = (index: number, address: Target, message: RegExp) => {
    using sockets = new InheritedSockets([manager.pass(index, "edge")]);
    throws(() => sockets.sortOut([{ listener: "edge", address }]), message);
  };
  const port = (index: number) => manager.addresses[index].port;
  wrong(
    0,
    at("127.0.0.1", 1),
    /^Cannot serve listener edge: the inherited socket is bound to 127\.0\.0\.1:\d+, the configuration says 127\.0\.0\.1:1$/,
  );
  wrong(0, at("127.0.0.1", 0), /the configuration says 127\.0\.0\.1:0$/);
  wrong(0, at("", port(0)), /the configuration says :\d+$/);
  wrong(1, at("", port(1)), /is bound to \[::\]:\d+, the configuration says :\d+$/);
  wrong(2, at("::", port(2)), /is bound to :\d+, the configuration says \[::\]:\d+$/);
});

Deno.test("a socket that no listener is named like is closed, and told", async () => {
  using manager = new Manager(at("127.0.0.1"));
  const passed = manager.pass(0, "ugate.socket");
  using sockets = new InheritedSockets([passed]);
  const [address] = manager.addresses;
  equal(sockets.sortOut([{ listener: "edge", address }]), [
    `Cannot use the inherited socket ugate.socket (127.0.0.1:${address.port}): no listener has this name`,
  ]);
  equal(libc.fcntl(passed.fd, F_GETFD, 0), -1);
  await using client = await connect(address.port);
  client.end();
});

Deno.test("what does not listen for streams is refused to a listener, and else left as it is", () => {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  try {
    const place = { listener: "edge", address: at("127.0.0.1", 80) };
    using named = new InheritedSockets([{ fd, name: "edge" }]);
    equal(named.take(place), undefined);
    throws(
      () => named.sortOut([place]),
      /Cannot serve listener edge: the inherited socket is no listening stream/,
    );
    using other = new InheritedSockets([{ fd, name: "udp" }, { fd: 1_000_000, name: "closed" }]);
    equal(other.sortOut([place]), [
      `Cannot use the inherited descriptor ${fd} (udp): no listening stream socket`,
      "Cannot use the inherited descriptor 1000000 (closed): no listening stream socket",
    ]);
    ok(libc.fcntl(fd, F_GETFD, 0) >= 0);
  } finally {
    libc.close(fd);
  }
});

Deno.test({
  name: "sockets that are passed to the program reach it from descriptor 3 on, and no child of it",
  ignore: !need("python3"),
  async fn() {
    await using folder = await Folder.make();
    const path = `${folder.path}/sock`;
    const program = new URL("../../support/passed_sockets.ts", import.meta.url).pathname;
    const [command, ...args] = [...activated([["edge", 0], ["proxy", path]]), Deno.execPath(), "run", "-A"];
    const { stdout } = await succeed(command, [...args, "--no-check", program, path]);
    const { passed, taken, child } = JSON.parse(stdout);
    equal(passed, [{ fd: 3, name: "edge" }, { fd: 4, name: "proxy" }]);
    ok(taken[0].host === "127.0.0.1" && taken[0].port > 0);
    equal(taken[1], { host: `unix:${path}`, port: 0 });
    equal([child[0], child.includes("3") && child.includes("4") && child.includes("5")], ["", false]);
  },
});
