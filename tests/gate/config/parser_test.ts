/** Configurations that are parsed on a thread of their own. */
import { parseConfiguration } from "../../../gate/config/load.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { Parser } from "../../../gate/config/parser.ts";
import { ConfigurationError } from "../../../gate/config/problems.ts";
import { HeadStart } from "../../../gate/head_start.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { settled } from "../../support/process_state.ts";

openssl(); // stays loaded

const THREAD = new URL("../../../gate/threads/parser.ts", import.meta.url);
const TEXT = `
listeners:
  edge: { address: [":8443", "unix:/run/x"], protocols: [tls, ssh], fallback: "127.0.0.1:9000" }
  proxy: { address: "10.0.0.1:1080", protocols: [socks], users: { alice: "correct horse" }, proxyProtocol: 10.0.0.0/8 }
routes: [ { host: "*.example.com", protocol: tls, to: [{ to: "10.0.0.5:8443", weight: 2 }] } ]
hosts: { "*.onion": { via: "127.0.0.1:9050", layers: [socks], credentials: "a:b" } }
policy: [ { allow: { user: alice, ports: [443, "8000-8999"], hosts: "*.internal" } } ]
admin: { metrics: ":15020" }
`;

Deno.test("what is parsed apart is what is parsed here, one text after the other", async () => {
  using threads = new HeadStart(THREAD, "parser");
  using parser = new Parser(threads);
  for (const file of ["one.yaml", "two.yaml"]) {
    const texts = [{ file, text: TEXT }], loaded = await parser.parse(texts);
    equal(loaded, await parseConfiguration(texts, protocols));
    ok(loaded === await parser.parse([{ file, text: TEXT }])); // nothing is done twice
  }
});

Deno.test("every mistake comes back with its place", async () => {
  using threads = new HeadStart(THREAD, "parser");
  const texts = [{ file: "ugate.yaml", text: "lisseners: {}\nroutes: [{ to: 7 }]" }];
  using parser = new Parser(threads);
  const fault = await parser.parse(texts).catch((fault) => fault);
  ok(fault instanceof ConfigurationError);
  equal(fault.problems, (await parseConfiguration(texts, protocols).catch((fault) => fault)).problems);
});

Deno.test("a thread that breaks is told, and the next text gets another one", async () => {
  using broken = new HeadStart(new URL("../../support/broken_worker.ts", import.meta.url), "parser");
  using parser = new Parser(broken);
  for (let i = 0; i < 2; i++) {
    await rejects(parser.parse([]), /^Cannot read the configuration: .*broken on purpose/);
  }
});

Deno.test("texts that are asked for at the same time are each answered, and one thread waits for more", async () => {
  const taken: Worker[] = [];
  class Counted extends HeadStart {
    override take(): Worker {
      taken.push(super.take());
      return taken.at(-1)!;
    }
  }
  using threads = new Counted(THREAD, "parser");
  using parser = new Parser(threads);
  const files = ["a.yaml", "b.yaml"];
  const loaded = await Promise.all(files.map((file) => parser.parse([{ file, text: TEXT }])));
  equal(loaded.flatMap(({ files }) => files), files);
  await parser.parse([{ file: "c.yaml", text: TEXT }]);
  equal(taken.length, 2);
});

Deno.test("threads that have parsed and ended leave no descriptor open", async () => {
  const each = async (file: string) => {
    using threads = new HeadStart(THREAD, "parser");
    using parser = new Parser(threads);
    await parser.parse([{ file, text: TEXT }]);
  };
  await each("first.yaml"); // what the runtime opens once
  const before = (await settled(Deno.pid, () => false, 500)).others;
  for (let i = 0; i < 3; i++) await each(`${i}.yaml`);
  const { others } = await settled(Deno.pid, (state) => state.others <= before, 10_000);
  ok(others <= before, `${others} descriptors are open, before ${before}`);
});
