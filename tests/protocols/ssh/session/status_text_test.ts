import { nameLines } from "../../../../protocols/ssh/session/status_text.ts";
import type { Here } from "../../../../protocols/ssh/session/ways.ts";
import { equal } from "../../../support/assert.ts";
import { nodeStatus } from "../../../support/operations.ts";

const here: Here = { host: "gate.example", port: 443, doorFor: () => undefined };

Deno.test("who has no name yet is told how to get one; who came by a token, that it gives none, and what does", () => {
  const [, hint] = nameLines(nodeStatus({ names: [] }), here);
  equal(hint, "  ssh -p 443 -R 80:localhost:3000 gate.example");
  equal(nameLines(nodeStatus({ names: [], proof: "token" }), here), [
    "Nothing can be reached through this connection: a token gives no names.",
    "Who logs in with a key, or a certificate, can offer what it has under its names.",
  ]);
});
