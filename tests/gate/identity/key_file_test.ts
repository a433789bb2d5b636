/** Files of private keys, as ssh-keygen, openssl and puttygen write them. */
import { createPublicKey, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { need } from "../../../scripts/clients.ts";
import { readPrivateKey } from "../../../gate/identity/key_file.ts";
import { nodeKeyOf } from "../../../gate/identity/public_key.ts";
import { GateError } from "../../../gate/errors.ts";
import { equal, fails, ok, rejects } from "../../support/assert.ts";
import { run, succeed } from "../../support/child.ts";
import { mutated } from "../../support/mutations.ts";
import { Keygen } from "../../support/ssh_keygen.ts";

const keygen = await Keygen.make();
await readPrivateKey(await Deno.readTextFile((await keygen.key("-t ed25519")).file)); // ssh2 is loaded, and stays

/** What OpenSSH makes of the key: its public blob. */
const blobOf = (key: KeyObject): Uint8Array => nodeKeyOf(key).ssh.blob;

const KINDS = ["ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048"];

Deno.test("keys of every kind in the formats that ssh-keygen writes, with a passphrase and without", async () => {
  for (const kind of KINDS) {
    for (const format of ["RFC4716", "PEM", "PKCS8"]) {
      const plain = await keygen.key(`-t ${kind} -m ${format}`);
      equal(
        blobOf(await readPrivateKey(await Deno.readTextFile(plain.file))),
        plain.blob,
        `${kind} ${format}`,
      );
      const locked = await keygen.key(`-t ${kind} -m ${format}`, ["-N", "secret"]);
      const text = await Deno.readTextFile(locked.file);
      equal(blobOf(await readPrivateKey(text, "secret")), locked.blob, `${kind} ${format}, locked`);
      await fails(readPrivateKey(text), "unauthenticated");
      await fails(readPrivateKey(text, "another"), "unauthenticated");
    }
  }
});

Deno.test("OpenSSH's ciphers are known, but for ChaCha20, and that is said", async () => {
  for (const cipher of ["aes128-ctr", "aes256-cbc", "aes256-gcm@openssh.com"]) {
    const { file, blob } = await keygen.key(`-t ed25519 -Z ${cipher}`, ["-N", "secret"]);
    const text = await Deno.readTextFile(file);
    equal(blobOf(await readPrivateKey(text, "secret")), blob, cipher);
    await fails(readPrivateKey(text, "another"), "unauthenticated");
  }
  const { file } = await keygen.key("-t ed25519 -Z chacha20-poly1305@openssh.com", ["-N", "secret"]);
  await rejects(readPrivateKey(await Deno.readTextFile(file), "secret"), /cipher .* ssh-keygen -p/);
});

Deno.test("what openssl writes is read: SEC 1, PKCS #1 and PKCS #8, locked by scrypt too", async () => {
  const path = (name: string) => `${keygen.folder.path}/${name}`;
  const openssl = (...args: string[]) => succeed("openssl", args);
  await openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", path("params")); // with a block in front
  await openssl("pkey", "-in", path("params"), "-out", path("plain"));
  const locks = ["-passout", "pass:secret"];
  await openssl("pkcs8", "-topk8", "-in", path("plain"), "-scrypt", ...locks, "-out", path("scrypt"));
  await openssl("ec", "-in", path("plain"), "-aes256", ...locks, "-out", path("sec1"));
  const { stdout } = await openssl("pkey", "-in", path("plain"), "-pubout");
  for (const name of ["params", "plain", "scrypt", "sec1"]) {
    const key = await readPrivateKey(await Deno.readTextFile(path(name)), "secret");
    equal(blobOf(key), blobOf(createPublicKey(stdout)), name);
  }
  for (const name of ["scrypt", "sec1"]) {
    await fails(readPrivateKey(await Deno.readTextFile(path(name))), "unauthenticated");
    await fails(readPrivateKey(await Deno.readTextFile(path(name)), "another"), "unauthenticated");
  }
});

Deno.test({
  name: "PuTTY's version 2 with RSA is read; of the others it is said how to convert them",
  ignore: !need("puttygen"),
  async fn() {
    const made = async (kind: string, version: number, passphrase = "") => {
      const file = keygen.path("putty"), secret = keygen.path("secret");
      await Deno.writeTextFile(secret, passphrase);
      const args = [
        "-t",
        kind,
        "-q",
        "--ppk-param",
        `version=${version}`,
        "--new-passphrase",
        secret,
        "-o",
        file,
      ];
      await succeed("puttygen", args);
      const { stdout } = await run("puttygen", [file, "-O", "public-openssh", "--old-passphrase", secret]);
      return { text: await Deno.readTextFile(file), blob: Uint8Array.fromBase64(stdout.split(" ")[1]) };
    };
    const plain = await made("rsa", 2), locked = await made("rsa", 2, "secret");
    equal(blobOf(await readPrivateKey(plain.text)), plain.blob);
    equal(blobOf(await readPrivateKey(locked.text, "secret")), locked.blob);
    await fails(readPrivateKey(locked.text), "unauthenticated");
    for (const [kind, version] of [["rsa", 3], ["ed25519", 2]] as const) {
      await rejects(readPrivateKey((await made(kind, version)).text), /puttygen FILE -O private-openssh/);
    }
  },
});

Deno.test("what is no private key is refused, and no sentence tells of its content", async () => {
  const { line } = await keygen.key("-t ed25519");
  const wrong = ["", "secret", line, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"];
  for (const text of [...wrong, "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0", "x".repeat(70_000)]) {
    const thrown = await readPrivateKey(text).catch((thrown) => thrown);
    ok(thrown instanceof GateError && thrown.failure === "malformed", text.slice(0, 40));
    ok(!/secret|c2VjcmV0/.test(thrown.message), thrown.message);
  }
});

Deno.test("damaged files give a key or a GateError", async () => {
  const files = [await keygen.key("-t ed25519"), await keygen.key("-t ecdsa -b 256 -m PEM")];
  for (const { file } of files) {
    const bytes = await Deno.readFile(file);
    await fc.assert(
      fc.asyncProperty(mutated(bytes), async (damaged) => {
        const key = await readPrivateKey(new TextDecoder().decode(damaged)).catch((thrown) => thrown);
        ok(key instanceof GateError || key.type === "private", String(key));
      }),
      { numRuns: 100 },
    );
  }
});

Deno.test("numbers with a zero in front, or one octet short, are the same keys", async () => {
  for (let i = 0; i < 40; i++) { // each second number has a zero in front, one of 256 is short
    const { file, blob } = await keygen.key("-t ecdsa -b 256");
    equal(blobOf(await readPrivateKey(await Deno.readTextFile(file))), blob);
  }
});
