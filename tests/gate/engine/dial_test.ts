import type { Target } from "../../../gate/address.ts";
import { listenOn } from "../../../gate/engine/bind.ts";
import { Dial, dial } from "../../../gate/engine/dial.ts";
import { promiseResolved } from "../../../gate/engine/loop.ts";
import type { Socket } from "../../../gate/engine/socket.ts";
import { GateError } from "../../../gate/errors.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { need } from "../../../scripts/clients.ts";
import { Folder, succeed } from "../../support/child.ts";
import { Deaf } from "../../support/deaf.ts";
import { canIsolate } from "../../support/namespace.ts";
import { onLoop, pause } from "../../support/on_loop.ts";

/** Listens on loopback: the address, until `act` is over. */
async function listening(
  hosts: readonly string[],
  act: (...targets: Target[]) => Promise<void>,
): Promise<void> {
  const sockets = hosts.map((host) => listenOn({ host, port: 0 }));
  try {
    await act(...sockets.map(({ address }) => address));
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** A port of loopback that nobody listens on. */
function closedPort(host: string): Target {
  const socket = listenOn({ host, port: 0 });
  socket.close();
  return socket.address;
}

/** Tells two sockets apart that had the same descriptor one after the other; undefined: it is closed. */
function inodeOf(fd: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** Dials and tells which addresses were begun with, in order, and when (ms). */
function watched(addresses: readonly Target[], ms: number) {
  const began: { host: string; at: number }[] = [], start = performance.now();
  const result = new Promise<{ socket: Socket; address: Target }>((resolve, reject) => {
    new Dial(addresses, ms, {
      beforeConnect: (_fd, { host }) => void began.push({ host, at: performance.now() - start }),
      stood: (socket, address) => {
        promiseResolved();
        resolve({ socket, address });
      },
      failed: (reason) => {
        promiseResolved();
        reject(reason);
      },
    });
  });
  return { result, began };
}

Deno.test("the first address that stands is taken, and no other is begun with", () =>
  onLoop(() =>
    listening(["127.0.0.1", "::1"], async (v4, v6) => {
      const { result, began } = watched([v6, v4], 1000);
      const { socket, address } = await result;
      equal(address, v6);
      await pause(300);
      equal(began.map(({ host }) => host), ["::1"]);
      socket.close();
    })
  ));

Deno.test("an address that fails is followed at once by the next one, families in turn", () =>
  onLoop(() =>
    listening(["127.0.0.1"], async (good) => {
      const refused4 = closedPort("127.0.0.1"), refused6 = closedPort("::1");
      const { result, began } = watched([refused6, { ...refused6, port: 1 }, refused4, good], 2000);
      const { socket, address } = await result;
      equal(address, good);
      equal(began.map(({ host }) => host), ["::1", "127.0.0.1", "::1", "127.0.0.1"]);
      ok(began[3].at < 200, `it took ${began[3].at} ms`);
      socket.close();
    })
  ));

Deno.test("all addresses failing is told as the last one failed", () =>
  onLoop(async () => {
    const refused = closedPort("127.0.0.1");
    await fails(dial([refused, closedPort("::1")], 1000), "refused");
    const error = await dial([refused], 1000).catch((thrown: GateError) => thrown);
    ok(error instanceof GateError);
    equal(error.side, "upstream");
    ok(/^Cannot connect to 127\.0\.0\.1:\d+: ECONNREFUSED$/.test(error.message), error.message);
    await fails(dial([], 1000), "no-route");
  }));

Deno.test({
  name: "an address out of reach is unreachable, one that the kernel forbids is denied",
  ignore: !need("unshare", "ip") || !await canIsolate(),
  async fn() {
    const program = new URL("../../support/dial_alone.ts", import.meta.url).pathname;
    const inside = [Deno.execPath(), "run", "-A", program, "10.1.2.3", "10.2.2.3", "10.3.2.3", "fd00::1"];
    const { stdout } = await succeed("unshare", ["--net", "--", ...inside]);
    equal(JSON.parse(stdout), [
      "unreachable upstream ENETUNREACH",
      "unreachable upstream EHOSTUNREACH",
      "denied upstream EACCES",
      "unreachable upstream ENETUNREACH",
    ]);
  },
});

Deno.test("an address that does not answer is joined by the next one after 250 ms, and given up at the deadline", async () => {
  await using server = await Deaf.start();
  await onLoop(async () => {
    const deaf = server.target;
    await listening(["127.0.0.1"], async (good) => {
      const { result, began } = watched([deaf, good], 3000);
      const { socket, address } = await result;
      equal(address, good);
      ok(began[1].at >= 245 && began[1].at < 600, `the second began after ${began[1].at} ms`);
      socket.close();
    });
    const start = performance.now();
    await fails(dial([deaf, deaf, deaf], 400), "timeout");
    const took = performance.now() - start;
    ok(took >= 395 && took < 900, `it took ${took} ms`);
    const { promise, reject } = Promise.withResolvers<never>();
    const cancelled = new Dial([deaf], 3000, {
      stood: () => {},
      failed: (reason) => {
        promiseResolved();
        reject(reason);
      },
    });
    cancelled.cancel(new GateError("closed", "client", "Cannot connect: the client is gone"));
    await fails(promise, "closed");
  });
});

Deno.test("of a name with many addresses that do not answer six are dialed at a time, and the last is reached", async () => {
  await using server = await Deaf.start();
  await onLoop(() =>
    listening(["127.0.0.1"], async (good) => {
      const begun: { fd: number; inode: string | undefined }[] = [], open: number[] = [];
      const addresses = [...Array.from({ length: 8 }, () => server.target), good];
      const reached = await new Promise<Socket>((resolve, reject) => {
        new Dial(addresses, 6000, {
          beforeConnect(fd) {
            begun.push({ fd, inode: inodeOf(fd) });
            open.push(begun.filter(({ fd, inode }) => inodeOf(fd) === inode).length);
          },
          stood: (socket) => {
            promiseResolved();
            resolve(socket);
          },
          failed: (reason) => {
            promiseResolved();
            reject(reason);
          },
        });
      });
      reached.close();
      equal(open, [1, 2, 3, 4, 5, 6, 6, 6, 6]);
    })
  );
});

Deno.test("unix sockets are dialed by path and by abstract name; nobody there is refused", async () => {
  await using folder = await Folder.make();
  await onLoop(async () => {
    await listening([`unix:${folder.path}/s`, `unix:@ugate-dial-${Deno.pid}`], async (path, abstract) => {
      for (const target of [path, abstract]) (await dial([target], 1000)).close();
    });
    await fails(dial([{ host: `unix:${folder.path}/none`, port: 0 }], 1000), "refused");
    await fails(dial([{ host: `unix:@ugate-none-${Deno.pid}`, port: 0 }], 1000), "refused");
  });
});

Deno.test("what is thrown before connecting fails that address alone", () =>
  onLoop(() =>
    listening(["127.0.0.1", "127.0.0.1"], async (first, second) => {
      const reached = await new Promise<Target>((resolve, reject) => {
        new Dial([first, second], 1000, {
          beforeConnect: (_fd, { port }) => {
            if (port === first.port) throw new GateError("denied", "gate", "Cannot connect: own");
          },
          stood: (socket, address) => {
            promiseResolved();
            socket.close();
            resolve(address);
          },
          failed: reject,
        });
      });
      equal(reached, second);
    })
  ));
