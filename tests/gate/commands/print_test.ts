/** What verbs print for who asks through a connection: the same as on the command line. */
import { print, type Printing } from "../../../gate/commands/print.ts";
import { idLines } from "../../../gate/commands/id.ts";
import { statusLines } from "../../../gate/commands/status.ts";
import { versionLines } from "../../../gate/commands/versions.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { nodeIdentity } from "../../../gate/identity/node_identity.ts";
import { wordsOf } from "../../../gate/identity/node_words.ts";
import type { ReadingVerb } from "../../../gate/operations.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";
import { fakeOperations, liveConnection, nodeStatus, STATUS } from "../../support/operations.ts";

openssl(); // stays open

const node = { state: "/state", name: "pi", domain: "", trustDomain: "", namespace: "" };
const printing = (given: Partial<Printing> = {}): Printing => ({
  operations: fakeOperations(),
  node,
  identity: () => Promise.reject(new Error("nobody asks for it")),
  ...given,
});
const textOf = async (verb: ReadingVerb, columns?: number, given?: Partial<Printing>) =>
  (await print({ verb, json: false, columns }, printing(given))).text;
const dataOf = async (verb: ReadingVerb, given?: Partial<Printing>) =>
  JSON.parse((await print({ verb, json: true }, printing(given))).text);

Deno.test("status is what ugate status prints, as wide as the terminal", async () => {
  for (const columns of [60, undefined]) {
    equal(
      await textOf("status", columns),
      `${statusLines(STATUS, columns ?? Infinity, new Date()).join("\n")}\n`,
    );
  }
  equal(await dataOf("status"), STATUS);
});

Deno.test("nodes are a table, of very many the first thousand, and nobody is said to be nobody", async () => {
  const given = (count: number) => ({
    operations: fakeOperations({
      nodes: () => Promise.resolve(Array.from({ length: count }, (_, id) => nodeStatus({ id }))),
    }),
  });
  ok(
    /^NAMES +IDENTITY.*\npi\.mesh\.example:22,443 +key:abcdefgh /.test(
      await textOf("nodes", undefined, given(1)),
    ),
  );
  const lines = (await textOf("nodes", undefined, given(1200))).trimEnd().split("\n");
  equal([lines.length, lines.at(-1)], [1002, "1000 shown of 1200 nodes"]);
  equal((await dataOf("nodes", given(1200))).nodes.length, 1000);
  equal(await textOf("nodes", undefined, given(0)), "no node is connected\n");
});

Deno.test("connections are the newest hundred, and how many there are", async () => {
  let most = 0;
  const connections = (asked: number) => {
    most = asked;
    return Promise.resolve({ total: 5, connections: [liveConnection(2), liveConnection(1)] });
  };
  const lines = (await textOf("connections", undefined, { operations: fakeOperations({ connections }) }))
    .split("\n");
  equal([most, lines.length, lines[3]], [100, 5, "2 of 5 connections"]);
});

Deno.test("id is what ugate id prints, without a key", async () => {
  await using folder = await Folder.make();
  const identity = () => nodeIdentity({ state: folder.path, domain: "" });
  const words = wordsOf((await identity()).identity, node.name),
    { text } = await print(
      { verb: "id", json: false },
      printing({ identity }),
    );
  equal(text, `${idLines(words, node).join("\n")}\n`);
  ok(!text.includes("PRIVATE"));
  equal((await dataOf("id", { identity })).id, words.id);
});

Deno.test("version is what ugate version prints", async () => {
  equal(await textOf("version"), `${versionLines().join("\n")}\n`);
});

Deno.test("what the gate cannot tell is an error", async () => {
  const status = () => Promise.reject(new Error("no engine answers"));
  await rejects(
    print({ verb: "status", json: false }, printing({ operations: fakeOperations({ status }) })),
    /no engine/,
  );
});
