import { gunzipSync } from "node:zlib";
import { need } from "../../../scripts/clients.ts";
import type { Coding } from "../../../gate/requests.ts";
import { coded, PIECE, plain } from "../../../gate/engine/coder_room.ts";
import { type Behind, codersAtWork, MOST_CODERS, startCoder } from "../../../gate/engine/coders.ts";
import { gzipLibrary } from "../../../gate/engine/gzip.ts";
import { zstdLibrary } from "../../../gate/engine/zstd.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { Folder, succeed } from "../../support/child.ts";
import { seeded } from "../../support/random.ts";

gzipLibrary(); // a library stays with its thread
zstdLibrary();

/** What comes of pieces of such sizes, all of them coded. */
function codeAll(coding: Coding, content: Uint8Array, sizes: () => number, known: boolean): Uint8Array {
  const coder = startCoder(coding, known ? content.length : undefined)!, parts: Uint8Array[] = [];
  const code = (size: number, behind: Behind) => parts.push(coded.slice(0, coder.code(size, behind)));
  for (let at = 0; at < content.length;) {
    const size = Math.min(sizes(), content.length - at);
    plain.set(content.subarray(at, at + size));
    code(size, size % 3 === 0 ? "pause" : "more");
    at += size;
  }
  code(0, "end");
  coder.over();
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

async function decode(coding: Coding, bytes: Uint8Array): Promise<Uint8Array> {
  if (coding === "gzip") return new Uint8Array(gunzipSync(bytes));
  await using folder = await Folder.make();
  const file = await folder.write("x.zst", bytes);
  return (await succeed("zstd", ["-dcq", file])).bytes;
}

for (const coding of ["gzip", "zstd"] as const) {
  Deno.test({
    name: `${coding}: what was coded in pieces of any size is decoded to the same, by another program`,
    ignore: coding === "zstd" && !need("zstd"),
    async fn() {
      const random = seeded(7);
      const text = new TextEncoder().encode("all work and no play ".repeat(20_000));
      const noise = crypto.getRandomValues(new Uint8Array(65536));
      for (const [i, content] of [text, noise, text.subarray(0, 1), text.subarray(0, 0)].entries()) {
        const bytes = codeAll(coding, content, () => 1 + Math.floor(random() * PIECE), i % 2 === 0);
        equal((await decode(coding, bytes)).length, content.length);
        equal(await decode(coding, bytes), new Uint8Array(content));
      }
      equal(codersAtWork(), 0);
    },
  });

  Deno.test(`${coding}: a pause lets all of it out, and a coder that was given up is as new for the next`, () => {
    const first = startCoder(coding, undefined)!;
    plain.set(new TextEncoder().encode("hello"));
    ok(first.code(5, "pause") > 5);
    equal(first.code(5, "more") < 5, true);
    first.over();
    first.over();
    equal(codersAtWork(), 0);
    const bytes = codeAll(coding, new TextEncoder().encode("hello"), () => 5, true);
    if (coding === "gzip") equal(gunzipSync(bytes).toString(), "hello");
    ok(bytes.length < 40);
  });
}

Deno.test("no more coders are at work than a thread has memory for", () => {
  const coders = Array.from({ length: MOST_CODERS }, () => startCoder("gzip", undefined)!);
  equal(startCoder("gzip", undefined), undefined);
  coders[0].over();
  const another = startCoder("gzip", undefined)!;
  for (const coder of [...coders, another]) coder.over();
  equal(codersAtWork(), 0);
});

Deno.test("less than was announced is a fault of its own, and no lie about the length", () => {
  const coder = startCoder("zstd", 10)!;
  coder.code(5, "more");
  throws(() => coder.code(0, "end"), /Cannot compress with zstd/);
  coder.over();
});
