import { createHash } from "node:crypto";
import fc from "fast-check";
import { nodeIdOf, nodeNames, readNodeId, vipOf } from "../../../gate/identity/node_id.ts";
import { equal, ok } from "../../support/assert.ts";

const GATE =
  "048083d294822d4a53a134c58fae3eb78e3d1c3f3014f6500390d51c098ec3a77f8f6a8bd841afa07d63611646944bd9c310287ea3363645fea5117346c3a1bf81";
const GATE_ID = "GJU4ACOW36Q3IBL45T2TRQ63M6FNQYEJMLPJNDJETIOVIEFD7MGQ";
const point = { form: "point", octets: Uint8Array.fromHex(GATE) } as const;

Deno.test("a P-256 key has the ID and the VIP that other programs of the family give it", () => {
  equal(nodeIdOf(point), GATE_ID);
  equal(vipOf(point), "fd00::a511:7346:c3a1:bf81");
});

Deno.test("IDs in base32 are those of RFC 4648, which node:crypto's bytes confirm", () => {
  const decode = (text: string) => {
    let value = 0n;
    for (const one of text) value = value << 5n | BigInt("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(one));
    return (value >> 4n).toString(16).padStart(64, "0");
  };
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 400 }), (octets) => {
    const hash = createHash("sha256").update(octets).digest("hex");
    equal(decode(nodeIdOf({ form: "blob", octets })), hash);
    equal(decode(nodeIdOf({ form: "pkcs1", octets })), hash);
    const key = octets.subarray(0, 32);
    equal(decode(nodeIdOf({ form: "ed25519", octets: key })), key.toHex());
  }));
});

Deno.test("the VIP of RSA is of a hash, of others the key's end", () => {
  const octets = Uint8Array.from({ length: 32 }, (_, i) => i);
  equal(vipOf({ form: "ed25519", octets }), "fd00::1819:1a1b:1c1d:1e1f");
  const end = createHash("sha1").update(octets).digest("hex").slice(-16).match(/..../g)!;
  equal(
    vipOf({ form: "pkcs1", octets }),
    `fd00::${end.map((part) => part.replace(/^0+(?=.)/, "")).join(":")}`,
  );
});

Deno.test("an ID is read in any case, and nothing else is one", () => {
  equal(readNodeId(GATE_ID.toLowerCase()), GATE_ID);
  for (
    const wrong of [
      "",
      GATE_ID.slice(1),
      `${GATE_ID}A`,
      GATE_ID.replace("G", "1"),
      `${GATE_ID.slice(0, 51)}B`,
    ]
  ) {
    equal(readNodeId(wrong), undefined, wrong);
  }
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (octets) => {
    ok(readNodeId(nodeIdOf({ form: "blob", octets })));
  }));
});

Deno.test("a node's names begin with that of its domain", () => {
  const id = GATE_ID.toLowerCase();
  equal(nodeNames(GATE_ID, ""), [`${id}.m`, `${id}.h.mesh.internal`]);
  equal(nodeNames(GATE_ID, "mesh.example.com"), [
    `${id}.mesh.example.com`,
    `${id}.m`,
    `${id}.h.mesh.internal`,
  ]);
  equal(nodeNames(GATE_ID, "m").length, 2);
});
