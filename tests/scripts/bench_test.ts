import { direct, SERVER_NAME } from "../../scripts/bench/contenders.ts";
import { clientHello, measure, startSink } from "../../scripts/bench/measure.ts";
import { idleRows, median, rowsOf, table } from "../../scripts/bench/table.ts";
import { equal, ok, rejects } from "../support/assert.ts";

Deno.test("the median of samples is the middle one, or between the middle two", () => {
  equal(median([]), undefined);
  equal(median([3, 1, 2]), 2);
  equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("the table has absolute numbers and ratios, and blanks for what was not measured", () => {
  const samples = {
    direct: [{ rate: 50 }],
    haproxy: [{ rate: 10, cost: 0.4 }, { rate: 12, cost: 0.4 }, { rate: 11, cost: 0.5 }],
    ugate: [{ rate: 22, cost: 0.1 }],
  };
  const lines = table(rowsOf("bulk", ["Gbit/s", "CPU s/GB"], samples)).map((line) =>
    line.trim().split(/\s+/)
  );
  equal(lines[1], ["bulk", "Gbit/s", "50.0", "11.0", "22.0", "2.00", "0.440"]);
  equal(lines[2], ["CPU", "s/GB", "0.400", "0.100", "0.250"]);
  equal(rowsOf("nobody", ["1/s", "us"], {}), []);
  equal(idleRows({ ugate: [{ process: 50_000, connection: 2, startup: 100 }] })[0].samples, { ugate: [2] });
});

Deno.test("the ClientHello is one TLS record and carries the name", async () => {
  const hello = await clientHello(SERVER_NAME);
  equal(hello.slice(0, 2), [22, 3]);
  equal(hello.length, 5 + hello[3] * 256 + hello[4]);
  ok(new TextDecoder("latin1").decode(Uint8Array.from(hello)).includes(SERVER_NAME));
});

Deno.test("load and sink move bytes both ways and make connections", async () => {
  const hello = await clientHello(SERVER_NAME);
  await using sink = await startSink(hello);
  const to = { sink: sink.port, hello };
  for (const mode of ["swallow", "pour", "answer"] as const) {
    const what = { name: mode, door: "forward", mode, threads: 2 } as const;
    const sample = await measure(what, direct(sink.port), to, 0.1);
    ok(sample && sample.rate > 0, mode);
    equal(sample.cost, undefined);
  }
});

Deno.test("a measurement whose connections fail is an error and no number", async () => {
  const hello = await clientHello(SERVER_NAME);
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = silent.addr.port;
  silent.close();
  const what = { name: "dead", door: "forward", mode: "answer", threads: 1 } as const;
  await rejects(
    measure(what, direct(port), { sink: port, hello }, 0.1),
    /^Cannot measure dead of direct: \d+ of/,
  );
});
