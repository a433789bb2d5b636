import { createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { MAC_SIZE, type MacKind, macOf } from "../../../gate/engine/openssl_macs.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok } from "../../support/assert.ts";

openssl(); // the library stays: no test is to be blamed for it

const bytesOf = (hex: string) => Uint8Array.fromHex(hex.replaceAll(/\s/g, ""));

function codeOf(
  kind: MacKind,
  key: Uint8Array<ArrayBuffer>,
  ...parts: Uint8Array<ArrayBuffer>[]
): Uint8Array {
  const mac = macOf(kind);
  mac.begin(key);
  for (const part of parts) mac.add(part, part.length);
  mac.finish();
  return mac.code.slice();
}

Deno.test("Poly1305 makes the code of RFC 8439 2.5.2", () => {
  const key = bytesOf("85d6be7857556d337f4452fe42d506a8 0103808afb0db2fd4abff6af4149f51b");
  const text = new TextEncoder().encode("Cryptographic Forum Research Group");
  equal(codeOf("poly1305", key, text), bytesOf("a8061dc1305136c6c22b8baf0c0127a9"));
  equal(
    codeOf("poly1305", key, text.slice(0, 5), text.slice(5)),
    bytesOf("a8061dc1305136c6c22b8baf0c0127a9"),
  );
});

Deno.test("HMAC makes the codes of RFC 4231 4.2", () => {
  const key = new Uint8Array(20).fill(0x0b), text = new TextEncoder().encode("Hi There");
  equal(
    codeOf("hmac-sha256", key, text),
    bytesOf("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
  );
  equal(
    codeOf("hmac-sha512", key, text),
    bytesOf(`87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde
             daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854`),
  );
});

Deno.test("codes are node:crypto's, whatever key came before, in as many parts as there are", () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 });
  fc.assert(
    fc.property(
      fc.constantFrom("sha256", "sha512"),
      parts,
      fc.integer({ min: 1, max: 80 }),
      (hash, given, size) => {
        const key = new Uint8Array(randomBytes(size)), hmac = createHmac(hash, key);
        const owned = given.map((part) => new Uint8Array(part));
        for (const part of owned) hmac.update(part);
        equal(codeOf(`hmac-${hash}` as MacKind, key, ...owned), new Uint8Array(hmac.digest()));
      },
    ),
  );
});

Deno.test("a code matches where every byte is the same, and only there", () => {
  for (const kind of ["hmac-sha256", "hmac-sha512", "poly1305"] as const) {
    const code = codeOf(kind, new Uint8Array(32).fill(7), new Uint8Array(9)), mac = macOf(kind);
    equal(code.length, MAC_SIZE[kind]);
    const bytes = new Uint8Array(code.length + 3);
    bytes.set(code, 3);
    ok(mac.matches(bytes, 3));
    for (let i = 0; i < code.length; i++) {
      const other = bytes.slice();
      other[3 + i] ^= 1 << (i & 7);
      ok(!mac.matches(other, 3));
    }
  }
});
