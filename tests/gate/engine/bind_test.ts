import { listenOn } from "../../../gate/engine/bind.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../../gate/engine/layout.ts";
import { socketAddress } from "../../../gate/engine/sockaddr.ts";
import { libc } from "../../../gate/engine/sys.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import type { Bindings, Race } from "../../support/binding_worker.ts";
import { connect, connectUnix } from "../../support/net.ts";
import { Folder } from "../../support/child.ts";

Deno.test("port 0 becomes the port that the kernel chose, and it can be connected to", async () => {
  for (const host of ["127.0.0.1", "::1", ""]) {
    const listening = listenOn({ host, port: 0 });
    try {
      ok(listening.address.port > 0);
      for (const to of host === "" ? ["127.0.0.1", "::1"] : [host]) {
        await using client = await connect(listening.address.port, to);
        client.end();
      }
    } finally {
      listening.close();
    }
  }
});

Deno.test("an IPv6 address of its own leaves the IPv4 port to others", () => {
  const v6 = listenOn({ host: "::", port: 0 });
  try {
    listenOn({ host: "127.0.0.1", port: v6.address.port }).close();
  } finally {
    v6.close();
  }
});

Deno.test("what cannot be listened on says why", async () => {
  await using folder = await Folder.make();
  const taken = listenOn({ host: "127.0.0.1", port: 0 });
  try {
    throws(() => listenOn(taken.address), /Cannot listen on 127\.0\.0\.1:\d+: another program has it/);
  } finally {
    taken.close();
  }
  const plain = await folder.write("plain", "not a socket");
  throws(() => listenOn({ host: "192.0.2.1", port: 0 }), /this machine has no such address/);
  const at = (path: string) => () => listenOn({ host: `unix:${path}`, port: 0 });
  throws(at("/no/such/folder/sock"), /Cannot listen on unix:\/no\/such.*: its directory is not there/);
  throws(at(`${plain}/sock`), /: its directory is a file/);
  throws(at(plain), /: there is a file that is no socket/);
  throws(at("/proc/sock"), /Cannot listen on unix:\/proc\/sock: /);
  throws(at(`/${"x".repeat(106)}`), /Cannot use unix:\/x+: expected a path of 1 to 106 bytes/);
  equal(await Deno.readTextFile(plain), "not a socket");
});

Deno.test("a unix socket whose process is dead is taken over; one that answers is not", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/sock`, host = `unix:${path}`;
  const first = listenOn({ host, port: 0 });
  throws(() => listenOn({ host, port: 0 }), /another program listens there/);
  await using client = await connectUnix(path);
  client.end();
  libc.close(first.fd); // as its process does when it dies
  const second = listenOn({ host, port: 0 });
  await using again = await connectUnix(path);
  again.end();
  second.close();
  equal([...Deno.readDirSync(folder.path)], []);
});

Deno.test("a unix socket with a full queue is alive", async () => {
  await using folder = await Folder.make();
  const host = `unix:${folder.path}/sock`;
  const { bytes, size } = socketAddress({ host, port: 0 });
  const open = () => libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const busy = open(), queued = open();
  try {
    ok(libc.bind(busy, bytes, size) === 0 && libc.listen(busy, 0) === 0);
    equal(libc.connect(queued, bytes, size), 0);
    throws(() => listenOn({ host, port: 0 }), /another program listens there/);
  } finally {
    libc.close(queued);
    libc.close(busy);
  }
});

Deno.test("closing removes the socket's own file, once, and never one that took its place", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/sock`, target = { host: `unix:${path}`, port: 0 };
  const first = listenOn(target);
  await Deno.remove(path);
  const second = listenOn(target);
  first.close();
  ok(Deno.lstatSync(path).isSocket);
  const reused = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  equal(reused, first.fd);
  first.close();
  equal(libc.close(reused), 0, "the second close took a descriptor of somebody else");
  second.close();
  throws(() => Deno.lstatSync(path), /No such file/);
});

Deno.test("the umask says who may connect to a unix socket", async () => {
  await using folder = await Folder.make();
  const mask = Deno.umask(0o117);
  try {
    const listening = listenOn({ host: `unix:${folder.path}/sock`, port: 0 });
    equal(Deno.lstatSync(`${folder.path}/sock`).mode! & 0o777, 0o660);
    listening.close();
  } finally {
    Deno.umask(mask);
  }
});

Deno.test("of gates that start at once one gets a unix socket, and none takes it from who listens", async () => {
  await using folder = await Folder.make();
  const missing = new Int32Array(new SharedArrayBuffer(4)), times = 500;
  missing[0] = 2;
  const race = { path: `${folder.path}/sock`, times, missing };
  const told = await Promise.all([binding(race), binding(race)]);
  equal(told, [{ had: times, lost: 0 }, { had: times, lost: 0 }]);
});

async function binding(race: Race): Promise<Bindings> {
  const url = new URL("../../support/binding_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Bindings>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  worker.postMessage(race);
  try {
    return await promise;
  } finally {
    worker.terminate();
  }
}
