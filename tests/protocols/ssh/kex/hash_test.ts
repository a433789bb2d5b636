import { createHash } from "node:crypto";
import { deriveKeys, exchangeHash } from "../../../../protocols/ssh/kex/hash.ts";
import { encoded } from "../../../../protocols/ssh/wire.ts";
import { equal } from "../../../support/assert.ts";

// What another implementation (Python's hashlib, from the text of the RFCs) makes of the same parts.
const range = (from: number, to: number) => Uint8Array.from({ length: to - from }, (_, i) => from + i);
const text = (line: string) => new TextEncoder().encode(line);
const secret = encoded((to) => to.mpint(Uint8Array.of(0, 0x80, ...range(1, 31))));
const HASH = "c8ba6bb0ff0cdca59432fd80d810d8fb68c393d42f9de1f18c9875a70b9c0f84";

Deno.test("the exchange hash is of the parts of RFC 5656 4, in their order", () => {
  const hash = exchangeHash({
    clientVersion: text("SSH-2.0-client_1.0 a comment"),
    serverVersion: text("SSH-2.0-server"),
    clientInit: Uint8Array.of(20, ...range(0, 40)),
    serverInit: Uint8Array.of(20, ...range(60, 160)),
    hostKey: encoded((to) => to.text("ssh-ed25519").string(range(0, 32))),
    clientShare: range(100, 132),
    serverShare: range(132, 164),
    secret,
  });
  equal(hash.toHex(), HASH);
});

Deno.test("keys are derived by their letters, as long as they have to be (RFC 4253 7.2)", () => {
  const session = new Uint8Array(createHash("sha256").update("an earlier exchange").digest());
  const of = { secret, hash: Uint8Array.fromHex(HASH), session };
  const hex = (keys: ReturnType<typeof deriveKeys>) =>
    [keys.iv, keys.key, keys.macKey].map((each) => each.toHex());
  equal(hex(deriveKeys("up", { iv: 12, key: 16, macKey: 0 }, of)), [
    "44709bc7d97448da99189101",
    "01ddff154e9f72919d5dfd8cff34ee07",
    "",
  ]);
  equal(hex(deriveKeys("down", { iv: 16, key: 64, macKey: 64 }, of)), [
    "d1e120522a0ccc32360b274650ba1725",
    "89668e5d0c876d38b74503eb9c64ff5bff76cd7b3e384f6bfeda0457a4bbccd9" +
    "9e4415dc77cb54ba0acac02917436152df8cdd915438a29fba3ee19fada36b38",
    "cf35eb4ba00942cb980f318f118027cee7b92c4369a4ccdf5c05138a22ec63e3" +
    "f96af5782aa74a6a0bc61b635a2449fd8119697e273f67d8d835741567f47288",
  ]);
});
