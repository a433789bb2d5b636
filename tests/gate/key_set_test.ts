import { readKeySet } from "../../gate/key_set.ts";
import { equal, ok } from "../support/assert.ts";

Deno.test("of a key set the public keys of pairs are taken: no secret, no private key, nothing else", () => {
  const rsa = { kty: "RSA", n: "AQAB", e: "AQAB" },
    ec = { kty: "EC", crv: "P-256", x: "a", y: "b", kid: "1" };
  const keys = [rsa, { kty: "oct", k: "c2VjcmV0" }, { ...ec, d: "x" }, null, "x", [], {}, { kty: 1 }, ec];
  equal(readKeySet(JSON.stringify({ keys, more: 1 })), { keys: [rsa, ec] });
});

Deno.test("what is no key set, or has no key to verify with, says why", () => {
  for (
    const [text, why] of [
      ["", /not JSON/],
      ["{", /not JSON/],
      ["[]", /no list of keys/],
      ["null", /no list of keys/],
      ['{"keys":{}}', /no list of keys/],
      ['{"keys":[]}', /no public key/],
      ['{"keys":[{"kty":"oct","k":"AA"}]}', /no public key/],
      [JSON.stringify({ keys: Array(101).fill({ kty: "EC" }) }), /more than 100 keys/],
    ] as const
  ) {
    const read = readKeySet(text);
    ok(typeof read === "string" && why.test(read), `${text}: ${JSON.stringify(read)}`);
  }
});
