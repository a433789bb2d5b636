import type { RequestRecord } from "../../gate/requests.ts";
import { METRICS } from "../../gate/metrics.ts";
import { RequestCounts } from "../../gate/request_counts.ts";
import { equal } from "../support/assert.ts";
import { startGate } from "../support/gate.ts";
import { rawUpstream, readResponse } from "../support/http_peers.ts";
import { connect } from "../support/net.ts";
import { parseExposition } from "../support/exposition.ts";

const record = (status: number, waited?: number): RequestRecord => ({
  ...{ method: "GET", host: "a", path: "/", requestId: "", began: 0, retried: 1, up: 1, down: 2 },
  ...{ status, waited },
});

Deno.test("requests are told once, and what is in flight as it is", () => {
  const counts = new RequestCounts(), requests = counts.of("a");
  requests.begun();
  requests.begun();
  requests.left();
  requests.over(record(204, 3), 4);
  requests.over(record(0), 4);
  const [told] = counts.take();
  equal([told.route, told.statuses, told.retries, told.up, told.down, told.inFlight], [
    ...["a", [1, 0, 1, 0, 0, 0]],
    ...[2, 2, 4, 1],
  ]);
  equal([told.whole.sum, told.waited.sum], [8, 3]);
  equal(counts.take(), []);
  requests.left();
  equal(counts.take().map(({ inFlight, statuses }) => [inFlight, statuses]), [[0, [0, 0, 0, 0, 0, 0]]]);
});

Deno.test("a route where nothing happens is forgotten, but not while a request is under way", () => {
  const counts = new RequestCounts(), busy = counts.of("busy"), idle = counts.of("idle");
  busy.begun();
  idle.over(record(200), 1);
  for (let i = 0; i < 3; i++) counts.take();
  equal([counts.of("busy") === busy, counts.of("idle") === idle], [true, false]);
});

const NAMES = METRICS.map(({ name }) => name).filter((name) => /^ugate_requests_/.test(name));

Deno.test("requests are seen while they are under way, by route, and when their client is gone", async () => {
  await using upstream = await rawUpstream();
  const routes = (above: string) => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
${above}
  - { host: a.test, path: /x, to: "http://127.0.0.1:${upstream.port}", bodySize: 10B }
admin: { address: "off" }
`;
  await using gate = await startGate(routes(""));
  const numbers = async () => {
    const families = parseExposition(await gate.service.metrics());
    return NAMES.flatMap((name) =>
      families.get(name)!.samples.filter(({ value }) => value > 0)
        .map(({ labels, value }) => [...Object.values(labels), value].join(" "))
    );
  };
  const ask = async (path: string, fields = "") => {
    const client = await connect(gate.port("web"));
    await client.write(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`);
    return client;
  };
  await using one = await ask("/x");
  const peer = await upstream.next();
  await peer.head();
  equal(await numbers(), ["host=a.test path=/x 1"]);
  peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  await readResponse(one);
  equal(await numbers(), ["host=a.test path=/x 2xx 1"]);
  await using two = await ask("/x", "Content-Length: 11\r\n");
  await two.write("x".repeat(11)); // a request whose content is still to come is under way
  await using three = await ask("/nothing");
  equal([(await readResponse(two)).status, (await readResponse(three)).status], [413, 404]);
  equal(await numbers(), ["host=a.test path=/x 2xx 1", "host=a.test path=/x 4xx 1", "none 4xx 1"]);
  const { result } = await gate.reload(routes('  - { host: b.test, to: "http://127.0.0.1:1" }'));
  equal(result, "applied");
  await using four = await ask("/x");
  await peer.head();
  four.reset();
  await peer.until(({ closed }) => closed);
  await gate.record(({ outcome }) => outcome === "reset");
  equal(await numbers(), [
    "host=a.test path=/x none 1",
    "host=a.test path=/x 2xx 1",
    "host=a.test path=/x 4xx 1",
    "none 4xx 1",
  ]);
});
