/** The messages of an agent's client, with OpenSSH's ssh-agent at the other end. */
import fc from "fast-check";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import {
  type AgentAnswer,
  askForKeys,
  askToSign,
  readAgentAnswer,
} from "../../../../protocols/ssh/keys/agent.ts";
import { concat, Refusal, strings } from "../../../../protocols/ssh/keys/fields.ts";
import { readPublicKey } from "../../../../protocols/ssh/keys/public_key.ts";
import { verifySignature } from "../../../../protocols/ssh/keys/signature.ts";
import { equal, ok } from "../../../support/assert.ts";
import { Child, succeed } from "../../../support/child.ts";
import { mutated } from "../../../support/mutations.ts";
import { Keygen } from "../../../support/ssh_keygen.ts";

openssl(); // stays open
const keygen = await Keygen.make();

/** One question and its answer over the agent's socket. */
async function ask(path: string, question: Uint8Array): Promise<AgentAnswer> {
  using socket = await Deno.connect({ transport: "unix", path });
  await socket.write(question);
  let bytes = new Uint8Array(0);
  for (let read = readAgentAnswer(bytes);; read = readAgentAnswer(bytes)) {
    if (typeof read !== "number") {
      ok(!(read.answer instanceof Refusal));
      return read.answer;
    }
    const more = new Uint8Array(65536), size = await socket.read(more);
    ok(size, "the agent ended");
    bytes = concat(bytes, more.subarray(0, size));
  }
}

Deno.test("an agent lists its keys, and signs with each; a key that it has not is a failure", async () => {
  const path = keygen.path("agent");
  await using agent = new Child("ssh-agent", ["-D", "-a", path]);
  await agent.line(/SSH_AUTH_SOCK/);
  const keys = await Promise.all(
    ["ed25519", "ecdsa -b 256", "rsa -b 2048"].map((options) => keygen.key(`-t ${options}`)),
  );
  const env = { SSH_AUTH_SOCK: path };
  for (const { file } of keys) await succeed("ssh-add", ["-q", file], { env });
  const listed = await ask(path, askForKeys());
  ok(listed.kind === "keys");
  equal(listed.keys, keys.map(({ blob }) => ({ blob, comment: "a comment" })));
  const data = new TextEncoder().encode("to be signed");
  for (const algorithm of ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"]) {
    const { blob } = keys[["ssh-ed25519", "ecdsa-sha2-nistp256"].indexOf(algorithm)] ?? keys[2];
    const answer = await ask(path, askToSign(blob, data, algorithm)), key = readPublicKey(blob);
    ok(answer.kind === "signature" && !(key instanceof Refusal));
    equal(verifySignature(key, answer.signature, data, { algorithm }), true);
  }
  const { blob } = await keygen.key("-t ed25519");
  equal(await ask(path, askToSign(blob, data, "ssh-ed25519")), { kind: "failure" });
});

const message = (...parts: Uint8Array[]) => strings(concat(...parts));
const LIST = message(Uint8Array.of(12, 0, 0, 0, 2), strings("a", "first"), strings("b", "second"));

Deno.test("answers are read from every split of their bytes", () => {
  for (let size = 0; size < LIST.length; size++) {
    const read = readAgentAnswer(LIST.subarray(0, size));
    ok(typeof read === "number" && read > size && read <= LIST.length, `${size}`);
  }
  const read = readAgentAnswer(concat(LIST, LIST));
  ok(typeof read === "object" && !(read.answer instanceof Refusal) && read.answer.kind === "keys");
  equal([read.used, read.answer.keys.map(({ comment }) => comment)], [LIST.length, ["first", "second"]]);
});

Deno.test("what no agent says is a Refusal: lengths, counts, types", () => {
  const refused = (bytes: Uint8Array, why: RegExp) => {
    const read = readAgentAnswer(bytes);
    ok(typeof read === "object" && read.answer instanceof Refusal && why.test(read.answer.why));
  };
  refused(Uint8Array.of(0, 4, 0, 1), /262145 bytes/);
  refused(message(Uint8Array.of(12, 0, 0, 8, 1)), /2049 keys/);
  refused(message(Uint8Array.of(12, 0, 0, 0, 2), strings("a", "first")), /cut short/);
  refused(message(Uint8Array.of(99)), /type 99/);
  refused(message(), /cut short/);
  refused(message(Uint8Array.of(14), strings("a", "b")), /behind its end/);
  fc.assert(fc.property(mutated(LIST), (bytes) => void readAgentAnswer(bytes)));
});
