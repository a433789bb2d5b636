/** What a client logs in with, and whom it believes: real keys, certificates, agents and files of known hosts. */
import { need } from "../../../../scripts/clients.ts";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { readPrivateKey } from "../../../../gate/identity/key_file.ts";
import type { Introduction } from "../../../../gate/keyring.ts";
import { Agent } from "../../../../protocols/ssh/client/agent.ts";
import { GateTrust } from "../../../../protocols/ssh/client/host_trust.ts";
import { ClientKeyring, type IdentityKey } from "../../../../protocols/ssh/client/keyring.ts";
import { keyId, type PublicKey, readPublicKey } from "../../../../protocols/ssh/keys/public_key.ts";
import { verifySignature } from "../../../../protocols/ssh/keys/signature.ts";
import { equal, ok, rejects } from "../../../support/assert.ts";
import { Child, Folder, succeed } from "../../../support/child.ts";
import { Keygen, type MadeKey } from "../../../support/ssh_keygen.ts";

openssl(); // the library stays: no test is to be blamed for it

const HOST = { host: "gate.test", port: 22 };
const DATA = new TextEncoder().encode("what is to be signed");
const isThere = need("ssh-keygen");

async function identity({ file }: MadeKey, certificate?: string): Promise<IdentityKey> {
  const key = await readPrivateKey(await Deno.readTextFile(file));
  const pkcs8 = Uint8Array.from(key.export({ type: "pkcs8", format: "der" }));
  return { name: file, pkcs8, ...certificate && { certificate } };
}

function keyring(
  identities: readonly (IdentityKey | Agent)[],
  known = "",
  warned: string[] = [],
): ClientKeyring {
  return new ClientKeyring({
    user: "somebody",
    identities: () => Promise.resolve(identities),
    knownHosts: [{ file: "known_hosts", text: known }],
    warn: (text) => warned.push(text),
  });
}

const blobs = ({ keys }: Introduction) => keys.map(({ blob }) => blob.toHex());

Deno.test({
  name: "keys of every type sign what their public parts verify, and a certificate is shown before its key",
  ignore: !isThere,
  async fn() {
    const keygen = await Keygen.make(), authority = await keygen.key("-t ed25519");
    for (
      const type of ["-t ed25519", "-t ecdsa -b 256", "-t ecdsa -b 384", "-t ecdsa -b 521", "-t rsa -b 2048"]
    ) {
      const key = await keygen.key(type), certificate = await keygen.certify(authority, key);
      const line = `ssh-x-cert ${certificate.toBase64()} somebody\n`,
        ring = keyring([await identity(key, line)]);
      equal(blobs(await ring.introduce(HOST)), [certificate.toHex(), key.blob.toHex()]);
      const { type: name } = readPublicKey(key.blob) as PublicKey, rsa = name === "ssh-rsa";
      for (const algorithm of rsa ? ["rsa-sha2-512", "rsa-sha2-256"] : [name]) {
        for (const blob of [key.blob, certificate]) {
          const signature = await ring.sign({ blob, algorithm, data: DATA });
          equal(verifySignature(readPublicKey(key.blob) as PublicKey, signature, DATA, { algorithm }), true);
        }
      }
    }
  },
});

Deno.test({
  name: "the certificate of another key, and a file that has none, are left out with a word",
  ignore: !isThere,
  async fn() {
    const keygen = await Keygen.make(),
      [key, other] = [await keygen.key("-t ed25519"), await keygen.key("-t ed25519")];
    const certificate = await keygen.certify(other, other), warned: string[] = [];
    for (const line of [`x ${certificate.toBase64()}`, "x", `x ${other.blob.toBase64()}`, "x %%%"]) {
      equal(blobs(await keyring([await identity(key, line)], "", warned).introduce(HOST)), [
        key.blob.toHex(),
      ]);
    }
    equal(warned.length, 4);
    ok(warned.every((text) => text.includes("the certificate is left out")), warned.join("\n"));
    await rejects(
      keyring([]).sign({ blob: key.blob, algorithm: "ssh-ed25519", data: DATA }),
      /not there/,
    );
  },
});

Deno.test({
  name: "an agent lists its keys and certificates, signs with them, and is no longer asked when it is gone",
  ignore: !need("ssh-agent", "ssh-add", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    const keygen = await Keygen.make(), path = `${folder.path}/agent`;
    const [first, rsa, own] = [
      await keygen.key("-t ed25519"),
      await keygen.key("-t rsa -b 2048"),
      await keygen.key("-t ecdsa -b 256"),
    ];
    await using process = new Child("ssh-agent", ["-D", "-a", path]);
    await process.line(/SSH_AUTH_SOCK/);
    for (const { file } of [first, rsa]) {
      await succeed("ssh-add", ["-q", file], { env: { SSH_AUTH_SOCK: path } });
    }
    const warned: string[] = [], ring = keyring([await identity(own), new Agent(path)], "", warned);
    const introduction = await ring.introduce(HOST);
    equal(blobs(introduction), [own, first, rsa].map(({ blob }) => blob.toHex()));
    equal(introduction.keys[1].name, "agent: a comment");
    for (
      const [{ blob }, algorithm] of [[first, "ssh-ed25519"], [rsa, "rsa-sha2-512"], [
        rsa,
        "rsa-sha2-256",
      ]] as const
    ) {
      const signature = await ring.sign({ blob, algorithm, data: DATA });
      equal(verifySignature(readPublicKey(blob) as PublicKey, signature, DATA, { algorithm }), true);
    }
    await succeed("ssh-add", ["-q", "-D"], { env: { SSH_AUTH_SOCK: path } });
    await rejects(
      ring.sign({ blob: first.blob, algorithm: "ssh-ed25519", data: DATA }),
      /does not sign/,
    );
    process.signal("SIGTERM");
    await process.exit();
    equal(blobs(await ring.introduce(HOST)), [own.blob.toHex()]);
    ok(warned.some((text) => text.includes("nobody listens")), warned.join("\n"));
    equal(blobs(await keyring([new Agent(undefined)], "", warned).introduce(HOST)), []);
    ok(warned.at(-1)!.includes("$SSH_AUTH_SOCK does not name one"), warned.join("\n"));
  },
});

Deno.test("an agent that answers nonsense, or half an answer, is told and harms nobody", async () => {
  await using folder = await Folder.make();
  const answers = [[0, 0, 0, 0], [255, 255, 255, 255, 12], [0, 0, 0, 5, 12, 0, 0, 0, 9], [0, 0, 0, 9, 12], [
    0,
    0,
    0,
    1,
    99,
  ]];
  for (const [i, bytes] of answers.entries()) {
    const path = `${folder.path}/${i}`,
      listener = Deno.listen({ transport: "unix", path }),
      warned: string[] = [];
    const serve = async () => {
      using connection = await listener.accept();
      await connection.read(new Uint8Array(100));
      await connection.write(Uint8Array.from(bytes));
    };
    const [introduction] = await Promise.all([
      keyring([new Agent(path)], "", warned).introduce(HOST),
      serve(),
    ]);
    listener.close();
    equal([introduction.keys.length, warned.length], [0, 1], String(bytes));
  }
});

Deno.test({
  name:
    "a host is believed by its line, also a hashed one with its port, by its authority, and not once it is revoked",
  ignore: !isThere,
  async fn() {
    const keygen = await Keygen.make();
    const [key, other, authority] = [
      await keygen.key("-t ed25519"),
      await keygen.key("-t ecdsa -b 256"),
      await keygen.key("-t ed25519"),
    ];
    const bare = ({ line }: MadeKey) => line.split(" ").slice(0, 2).join(" ");
    const certificate = await keygen.certify(authority, key, { host: true, principals: "gate.test" });
    const elsewhere = await keygen.certify(authority, key, { host: true, principals: "other.test" });
    const user = await keygen.certify(authority, key, { principals: "gate.test" });
    const expired = await keygen.certify(authority, key, {
      host: true,
      principals: "gate.test",
      validity: "20200101:20200102",
    });
    const plainFile = keygen.path("hosts"), port = { host: "gate.test", port: 2222 };
    await Deno.writeTextFile(plainFile, `[gate.test]:2222 ${bare(key)}\n`);
    await keygen.said("-H", "-f", plainFile);
    const hashed = await Deno.readTextFile(plainFile);
    ok(hashed.startsWith("|1|"));
    const trust = async (known: string, host = HOST, id?: string) =>
      new GateTrust(host, id, (await keyring([], known).introduce(host)).known);
    const judged = async (
      known: string,
      blob: Uint8Array,
      algorithm = "ssh-ed25519",
      host = HOST,
      id?: string,
    ) => (await trust(known, host, id)).judge(algorithm, blob)?.message;
    const certified = "ssh-ed25519-cert-v01@openssh.com";
    equal(await judged(`gate.test ${bare(key)}`, key.blob), undefined);
    equal(await judged(hashed, key.blob, "ssh-ed25519", port), undefined);
    ok(/nobody knows it/.test(await judged(hashed, key.blob) ?? ""));
    const changed = await judged(`gate.test ${bare(key)}`, other.blob, "ecdsa-sha2-nistp256");
    ok(/known hosts have other keys of it/.test(changed ?? ""), changed);
    ok(changed?.endsWith(`the line: gate.test ${bare(other)}`), changed);
    const byAuthority = `@cert-authority *.test ${bare(authority)}`;
    equal(await judged(byAuthority, certificate, certified), undefined);
    for (
      const [blob, why] of [[elsewhere, /not for "gate.test"/], [user, /certificate of a user/], [
        expired,
        /not valid any more/,
      ]] as const
    ) {
      const told = await judged(byAuthority, blob, certified);
      ok(why.test(told ?? ""), told);
    }
    ok(/nobody knows the authority/.test(await judged("", certificate, certified) ?? ""));
    for (const line of [`@revoked * ${bare(key)}`, `@revoked * ${bare(authority)}`]) {
      ok(/is revoked/.test(await judged(`${byAuthority}\n${line}`, certificate, certified) ?? ""), line);
    }
    const id = `ssh:${(await keygen.said("-lf", `${key.file}.pub`)).split(" ")[1]}`;
    equal(await judged("", key.blob, "ssh-ed25519", HOST, id), undefined);
    equal(await judged("", certificate, certified, HOST, id), undefined);
    ok(/is revoked/.test(await judged(`@revoked * ${bare(key)}`, key.blob, "ssh-ed25519", HOST, id) ?? ""));
    ok(
      /it has to be/.test(
        await judged(`gate.test ${bare(other)}`, other.blob, "ecdsa-sha2-nistp256", HOST, id) ?? "",
      ),
    );
    equal((await trust(`gate.test ${bare(other)}`)).algorithms, ["ecdsa-sha2-nistp256"]);
    equal((await trust(byAuthority)).algorithms[0], certified);
  },
});

Deno.test({
  name: "a node that is named by its ID is known by its key alone",
  ignore: !isThere,
  async fn() {
    const keygen = await Keygen.make();
    const [key, other] = [await keygen.key("-t ecdsa -b 256"), await keygen.key("-t ecdsa -b 256")];
    const host = { host: `${keyId(readPublicKey(key.blob) as PublicKey).toLowerCase()}.m`, port: 15022 };
    const trust = new GateTrust(host, undefined, { keys: [], authorities: [], revoked: [] });
    equal(trust.judge("ecdsa-sha2-nistp256", key.blob), undefined);
    const refused = trust.judge("ecdsa-sha2-nistp256", other.blob);
    ok(refused?.message.includes("it has to be key:"), refused?.message);
  },
});
