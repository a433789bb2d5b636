/** Streams through channels of the clients that people have, compared byte by byte, while keys are changed. */
import { createPrivateKey } from "node:crypto";
import ssh2 from "ssh2";
import { need } from "../../../../scripts/clients.ts";
import { equal, ok } from "../../../support/assert.ts";
import { Folder, run, succeed } from "../../../support/child.ts";
import { pattern } from "../../../support/pattern.ts";
import { SshThread } from "../../../support/ssh_thread.ts";
import { makeHostKey } from "../../../support/ssh_transport.ts";

const KEY = makeHostKey("ecdsa-sha2-nistp256");
const pkcs8 = new Uint8Array(createPrivateKey(KEY.pem).export({ type: "pkcs8", format: "der" }));
const served = () =>
  new SshThread({
    keys: [{ algorithm: KEY.algorithm, blob: KEY.blob, pkcs8 }],
    forwards: true,
    keyLifeBytes: 1_200_000,
  });
/** What goes there and comes back: more than a few windows and keys. */
const BYTES = pattern(5_000_000, 7);

/** A server that sends back what it gets. */
function echo(): { readonly port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const over = (async () => {
    for await (const conn of listener) await conn.readable.pipeTo(conn.writable).catch(() => {});
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await over.catch(() => {});
    },
  };
}

const SSH = [
  "-F",
  "none",
  "-o",
  "BatchMode=yes",
  "-o",
  "StrictHostKeyChecking=no",
  "-o",
  "UserKnownHostsFile=/dev/null",
];

Deno.test({
  name: "OpenSSH carries a stream through a channel under every cipher, changing keys itself",
  ignore: !need("ssh"),
  async fn() {
    await using target = echo();
    await using thread = served();
    const { port } = await thread.next();
    for (const cipher of ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"]) {
      const { bytes, stderr } = await succeed("ssh", [
        ...[...SSH, "-c", cipher, "-o", "RekeyLimit=1M", "-W", `127.0.0.1:${target.port}`],
        ...["-p", String(port), "x@127.0.0.1"],
      ], { stdin: BYTES });
      equal(bytes.length, BYTES.length, stderr);
      ok(bytes.every((byte, i) => byte === BYTES[i]));
      equal((await thread.next()).failure, "closed");
    }
  },
});

Deno.test({
  name: "OpenSSH is told that nobody is there",
  ignore: !need("ssh"),
  async fn() {
    await using thread = served();
    const { port } = await thread.next();
    const { stderr } = await run("ssh", [...SSH, "-W", "127.0.0.1:1", "-p", String(port), "x@127.0.0.1"]);
    ok(/connect failed: nobody is there/.test(stderr), stderr);
  },
});

Deno.test({
  name: "dropbear's client carries a stream through a channel",
  ignore: !need("dbclient"),
  async fn() {
    await using target = echo();
    await using thread = served();
    const { port } = await thread.next();
    const args = ["-y", "-y", "-B", `127.0.0.1:${target.port}`, "-p", String(port), "x@127.0.0.1"];
    const { bytes, stderr } = await run("dbclient", args, { stdin: BYTES, env: { HOME: "/nonexistent" } });
    equal(bytes.length, BYTES.length, stderr);
    ok(bytes.every((byte, i) => byte === BYTES[i]));
  },
});

Deno.test({
  name: "plink carries a stream through a channel",
  ignore: !need("plink", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    const file = await folder.write("key.pub", `${KEY.algorithm} ${KEY.blob.toBase64()}\n`);
    const [, fingerprint] = (await succeed("ssh-keygen", ["-lf", file])).stdout.split(" ");
    await using target = echo();
    await using thread = served();
    const { port } = await thread.next();
    const args = ["-ssh", "-batch", "-hostkey", fingerprint, "-nc", `127.0.0.1:${target.port}`];
    const { bytes, stderr } = await run("plink", [...args, "-P", String(port), "x@127.0.0.1"], {
      stdin: BYTES,
      env: { HOME: folder.path },
    });
    equal(bytes.length, BYTES.length, stderr);
    ok(bytes.every((byte, i) => byte === BYTES[i]));
  },
});

Deno.test("ssh2 carries a stream through a channel", async () => {
  await using target = echo();
  await using thread = served();
  const { port } = await thread.next(), client = new ssh2.Client(), closed = Promise.withResolvers<void>();
  client.on("close", () => closed.resolve());
  const ready = new Promise<void>((resolve, reject) => client.on("ready", resolve).on("error", reject));
  client.connect({ host: "127.0.0.1", port, username: "x", algorithms: { compress: ["none"] } });
  await ready;
  const got: number[] = [];
  await new Promise<void>((resolve, reject) =>
    client.forwardOut(
      "127.0.0.1",
      1,
      "127.0.0.1",
      target.port,
      (failed: Error | undefined, channel: ssh2.ClientChannel) => {
        if (failed) return reject(failed);
        channel.on("data", (bytes: Uint8Array) => {
          for (const byte of bytes) got.push(byte);
        });
        channel.on("end", resolve);
        channel.end(BYTES);
      },
    )
  );
  equal(got.length, BYTES.length);
  ok(got.every((byte, i) => byte === BYTES[i]));
  client.end();
  await closed.promise;
});
