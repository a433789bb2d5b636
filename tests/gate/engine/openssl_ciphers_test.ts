import { createCipheriv, randomBytes } from "node:crypto";
import fc from "fast-check";
import {
  AesCtr,
  AesGcm,
  aesIn,
  ChaCha20,
  GCM_IV,
  GCM_TAG,
  liveCiphers,
} from "../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { find } from "../../../scripts/clients.ts";
import { succeed } from "../../support/child.ts";

openssl(); // the library stays: no test is to be blamed for it

const bytesOf = (hex: string) => Uint8Array.fromHex(hex.replaceAll(/\s/g, ""));
const zeros = (size: number) => new Uint8Array(size);

Deno.test("AES-GCM seals as the test cases of its specification have it", () => {
  // McGrew and Viega, test case 4 and 16: the additional data of 20 bytes is cut to what fits here by test case 3.
  using empty = new AesGcm(zeros(16), true);
  const nothing = zeros(GCM_TAG);
  empty.seal(zeros(GCM_IV), nothing, 0, 0, 0);
  equal(nothing, bytesOf("58e2fccefa7e3061367f1d57a4e7455a"));
  using block = new AesGcm(zeros(32), true);
  const one = zeros(16 + GCM_TAG);
  block.seal(zeros(GCM_IV), one, 0, 0, 16);
  equal(one, bytesOf("cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919"));
});

Deno.test("AES-GCM seals what node:crypto would, wherever it lies, and opens it again", () => {
  const size = fc.integer({ min: 0, max: 3000 });
  fc.assert(
    fc.property(fc.constantFrom(16, 32), size, fc.nat(40), fc.nat(16), (keySize, length, at, clear) => {
      const key = new Uint8Array(randomBytes(keySize)), iv = new Uint8Array(randomBytes(GCM_IV));
      const bytes = new Uint8Array(randomBytes(at + clear + length + GCM_TAG + 7)), before = bytes.slice();
      using sealing = new AesGcm(key, true);
      using opening = new AesGcm(key, false);
      sealing.seal(iv, bytes, at, clear, length);
      const theirs = createCipheriv(keySize === 16 ? "aes-128-gcm" : "aes-256-gcm", key, iv);
      theirs.setAAD(before.subarray(at, at + clear));
      const body = theirs.update(before.subarray(at + clear, at + clear + length));
      theirs.final();
      const expected = before.slice();
      expected.set(body, at + clear);
      expected.set(theirs.getAuthTag(), at + clear + length);
      equal(bytes, expected);
      ok(opening.open(iv, bytes, at, clear, length));
      expected.set(before.subarray(at + clear, at + clear + length), at + clear);
      equal(bytes, expected);
    }),
  );
});

Deno.test("one bit that is another makes AES-GCM refuse, and the next message opens all the same", () => {
  const key = zeros(16), iv = zeros(GCM_IV), size = 50, clear = 4;
  using sealing = new AesGcm(key, true);
  using opening = new AesGcm(key, false);
  const sealed = zeros(clear + size + GCM_TAG);
  sealing.seal(iv, sealed, 0, clear, size);
  for (let bit = 0; bit < sealed.length * 8; bit += 7) {
    const broken = sealed.slice();
    broken[bit >> 3] ^= 1 << (bit & 7);
    equal(opening.open(iv, broken, 0, clear, size), false);
    ok(opening.open(iv, sealed.slice(), 0, clear, size));
  }
});

Deno.test("AES-CTR goes on from packet to packet as its specification has it", () => {
  // NIST SP 800-38A, F.5.1, F.5.3 and F.5.5, in pieces that are no blocks.
  const plain = bytesOf(
    "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef",
  );
  const iv = bytesOf("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  for (
    const [key, sealed] of [
      [
        "2b7e151628aed2a6abf7158809cf4f3c",
        "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff",
      ],
      [
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94",
      ],
      [
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5",
      ],
    ]
  ) {
    using cipher = new AesCtr(bytesOf(key), iv);
    const bytes = plain.slice();
    for (const [from, to] of [[0, 4], [4, 21], [21, 32], [32, 48]]) {
      cipher.apply(bytes.subarray(from, to), to - from);
    }
    equal(bytes.slice(0, 32), bytesOf(sealed));
  }
});

Deno.test("ChaCha20 makes the stream of RFC 8439 2.4.2", () => {
  using cipher = new ChaCha20(Uint8Array.from({ length: 32 }, (_, i) => i));
  cipher.begin(bytesOf("01000000 00000000 0000004a 00000000"));
  const text =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
    "sunscreen would be it.";
  const bytes = new TextEncoder().encode(text);
  cipher.apply(bytes, bytes.length);
  equal(
    bytes,
    bytesOf(
      `6e2e359a2568f98041ba0728dd0d6981 e97e7aec1d4360c20a27afccfd9fae0b f91b65c5524733ab8f593dabcd62b357
       1639d624e65152ab8f530c359f0861d8 07ca0dbf500d6a6156a38e088a22b65e 52bc514d16ccf806818ce91ab7793736
       5af90bbf74a35be6b40b8eedf2785e42 874d`,
    ),
  );
});

Deno.test("a cipher is freed once, and not used after that", () => {
  const before = liveCiphers.count;
  const cipher = new AesGcm(zeros(16), true);
  equal(liveCiphers.count, before + 1);
  cipher[Symbol.dispose]();
  cipher[Symbol.dispose]();
  equal(liveCiphers.count, before);
  throws(() => cipher.seal(zeros(GCM_IV), zeros(GCM_TAG), 0, 0, 0), /it was freed/);
});

Deno.test("instructions for AES are read from what libcrypto says of the CPU", () => {
  ok(aesIn("OPENSSL_ia32cap=0x7ffaf3bfffebffff:0x18c05fdef3bfa7eb"));
  ok(!aesIn("OPENSSL_ia32cap=0xfdfa32014f8bffff:0x0 env:~0x200000200000000"));
  ok(!aesIn("OPENSSL_ia32cap=0xfffa32014f8bffff:0x0"), "no PCLMULQDQ");
  ok(aesIn("OPENSSL_armcap=0xbd"));
  ok(!aesIn("OPENSSL_armcap=0x81"), "a Raspberry Pi 4");
  ok(!aesIn("") && !aesIn("N/A"));
});

Deno.test("a CPU without those instructions is seen as one", async () => {
  const module = new URL("../../../gate/engine/openssl_ciphers.ts", import.meta.url).href;
  const code = `import { hasAesInstructions } from ${
    JSON.stringify(module)
  }; console.log(hasAesInstructions());`;
  const asked = async (env: Record<string, string>) =>
    (await succeed(find("deno") ?? Deno.execPath(), ["eval", code], { env })).stdout.trim();
  equal(await asked({ OPENSSL_ia32cap: "~0x200000200000000", OPENSSL_armcap: "0x81" }), "false");
});
