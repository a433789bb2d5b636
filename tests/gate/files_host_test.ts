/** The thread of files, begun, lost and ended by main. */
import type { FilesSite } from "../../gate/requests.ts";
import { closeOwned, ownAs, OWNERS_SIZE } from "../../gate/engine/owned.ts";
import { socketPair } from "../../gate/engine/socket_pair.ts";
import { FilesHost } from "../../gate/files_host.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder } from "../support/child.ts";

const ENGINE = 3;
const owners = new SharedArrayBuffer(OWNERS_SIZE);
ownAs(owners, ENGINE);

const real = () =>
  new Worker(new URL("../../gate/threads/files.ts", import.meta.url), { type: "module", name: "files" });
const broken = () => {
  const text = "self.onmessage = () => { throw new Error('broken on purpose'); }";
  return new Worker(`data:application/javascript,${encodeURIComponent(text)}`, { type: "module" });
};

/** Descriptors that are recorded as somebody else's than this thread's. */
const ofOthers = (): number[] =>
  Array.from(new Uint16Array(owners).entries()).filter(([, owner]) => owner !== 0 && owner !== ENGINE + 1)
    .map(([fd]) => fd);

/** The content of `/x`. The test's thread is main here: it must not block in a loop of its own. */
async function ask(host: FilesHost, site: FilesSite): Promise<string> {
  const { socket, other } = socketPair(), bytes = new Uint8Array(4096);
  await socket.write(new TextEncoder().encode("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
  host.serve(ENGINE, other, site);
  let size = -1;
  for (let i = 0; i < 500 && size < 0; i++) {
    await new Promise((passed) => setTimeout(passed, 10));
    size = socket.recv(bytes);
  }
  socket.close();
  return new TextDecoder().decode(bytes.subarray(0, Math.max(0, size))).split("\r\n\r\n")[1];
}

Deno.test("a thread of files that dies leaves nothing open, and another one serves what comes then", async () => {
  await using folder = await Folder.make();
  await folder.write("x", "hello");
  const site = { directory: folder.path, prefix: "" };
  const died = Promise.withResolvers<string>();
  let starts = 0;
  const host = new FilesHost({
    owners,
    worker: () => starts++ === 0 ? broken() : real(),
    log: ({ text }) => died.resolve(text),
  });
  const { socket, other } = socketPair();
  host.serve(ENGINE, other, site);
  equal(ofOthers(), [other]);
  ok(/their thread died: .*broken on purpose; 1 descriptors/.test(await died.promise));
  equal(ofOthers(), []);
  socket.readable = true;
  equal(socket.recv(new Uint8Array(10)), 0); // who waited sees the end
  socket.close();
  equal(await ask(host, site), "hello");
  equal(starts, 2);
  await host.stop();
  equal(ofOthers(), []);
});

Deno.test("a thread that dies whenever it is begun is given a rest, and who asks sees the end at once", async () => {
  let told = Promise.withResolvers<string>(), starts = 0;
  const worker = () => {
    starts++;
    return broken();
  };
  const host = new FilesHost({ owners, worker, log: ({ text }) => told.resolve(text) });
  const site = { directory: "/", prefix: "" };
  for (let i = 0; i < 8; i++) {
    const { socket, other } = socketPair();
    host.serve(ENGINE, other, site);
    if (i < 5) await told.promise;
    told = Promise.withResolvers();
    socket.readable = true;
    equal(socket.recv(new Uint8Array(10)), 0);
    socket.close();
  }
  equal(starts, 5);
  await host.stop();
});

Deno.test("a descriptor of an engine that is gone is not taken for one", async () => {
  const host = new FilesHost({ owners, worker: real, log: () => {} });
  const { socket, other } = socketPair();
  host.serve(ENGINE + 1, other, { directory: "/", prefix: "" });
  equal(ofOthers(), []);
  await host.stop();
  socket.close();
  closeOwned(other); // which is this thread's still
});
