/** Either side leaves at each stage of an exchange, by a reset or by an end, on every way through the gate. */
import { need } from "../../../scripts/clients.ts";
import { equal } from "../../support/assert.ts";
import { fallen } from "../../support/attack.ts";
import { succeed } from "../../support/child.ts";
import { Crossing, nameOfWay, WAYS } from "../../support/crossings.ts";
import { type RawPeer, readResponse } from "../../support/http_peers.ts";
import type { Client } from "../../support/net.ts";

const GET = "GET /asked HTTP/1.1\r\nHost: a.example\r\n\r\n";
const post = (framing: string, content: string) =>
  `POST /asked HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n\r\n${content}`;
const SHORT = post("Content-Length: 1000", "some"),
  LONG = post("Content-Length: 9000000", "x".repeat(100_000));
const CHUNKS = post("Transfer-Encoding: chunked", "10\r\nsome"),
  TRAILERS = post("Transfer-Encoding: chunked", "0\r\nX: y");
const ok200 = (framing: string, content: string) => `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${content}`;
/** So much of an answer that neither side's buffers take it, to a client that reads nothing. */
const FLOOD = ok200("Content-Length: 90000000", "x".repeat(20_000_000));

type How = "reset" | "end";

/** What the client sends, and what the upstream answers, before somebody leaves. */
interface Stage {
  readonly name: string;
  readonly sent: string;
  readonly answered?: string;
  /** The upstream hears of it: its head went up. */
  readonly reaches?: boolean;
  /** The request is whole: who ends behind it may still wait for its answer. */
  readonly whole?: boolean;
}

const CLIENT_STAGES: readonly Stage[] = [
  { name: "before its head", sent: "" },
  { name: "in its head", sent: GET.slice(0, 30) },
  { name: "while it waits", sent: GET, reaches: true, whole: true },
  { name: "in its content", sent: SHORT, reaches: true },
  { name: "in much content", sent: LONG, reaches: true },
  { name: "in a chunk", sent: CHUNKS, reaches: true },
  { name: "in its trailers", sent: TRAILERS, reaches: true },
  {
    name: "behind an interim response",
    sent: SHORT,
    answered: "HTTP/1.1 100 Continue\r\n\r\n",
    reaches: true,
  },
  {
    name: "in its response's head",
    sent: GET,
    whole: true,
    answered: "HTTP/1.1 200 OK\r\nX: ",
    reaches: true,
  },
  {
    name: "in its response",
    sent: GET,
    whole: true,
    answered: ok200("Content-Length: 1000", "some"),
    reaches: true,
  },
  {
    name: "in chunks of its response",
    sent: GET,
    whole: true,
    answered: ok200("Transfer-Encoding: chunked", "10\r\nsome"),
    reaches: true,
  },
  {
    name: "in an early response",
    sent: SHORT,
    answered: ok200("Content-Length: 1000", "some"),
    reaches: true,
  },
  { name: "in a response that it does not read", sent: GET, answered: FLOOD, reaches: true },
];

const GONE = ["reset", "closed"];
/** What the log has to tell of each request: whose fault it was. */
type Lines = [what: string, side: "client" | "upstream"][];

const WENT = ["in its response", "in chunks of its response", "in an early response"];

async function clientLeaves(crossing: Crossing, how: How, lines: Lines): Promise<void> {
  for (const { name, sent, answered, reaches, whole } of CLIENT_STAGES) {
    if (whole && how === "end") continue;
    const client = await crossing.connect();
    if (name === "in a response that it does not read") client.socket.pause();
    if (sent) await client.write(sent);
    let peer: RawPeer | undefined;
    if (reaches) {
      peer = await crossing.upstream.next();
      await peer.head();
      if (answered) peer.write(answered);
      if (WENT.includes(name)) await client.readTo("some");
    }
    if (how === "reset") client.reset();
    else client.socket.destroy();
    await peer?.until(({ ended }) => ended);
    if (reaches) lines.push([`${how} by the client ${name}`, "client"]);
    await client[Symbol.asyncDispose]();
  }
}

/** What the upstream does with a request that it has, and what its client is told: a status, or a broken response. */
const UPSTREAM_STAGES: readonly (Stage & { readonly told: number | "broken" })[] = [
  { name: "before it answers", sent: GET, told: 502 },
  { name: "before the content is there", sent: SHORT, told: 502 },
  { name: "in much content", sent: LONG, told: 502 },
  { name: "in a chunk", sent: CHUNKS, told: 502 },
  { name: "behind an interim response", sent: GET, answered: "HTTP/1.1 103 Early Hints\r\n\r\n", told: 502 },
  { name: "in its response's head", sent: GET, answered: "HTTP/1.1 200 OK\r\nX: ", told: 502 },
  { name: "in its response", sent: GET, answered: ok200("Content-Length: 1000", "some"), told: "broken" },
  {
    name: "in a chunk of it",
    sent: GET,
    answered: ok200("Transfer-Encoding: chunked", "10\r\nsome"),
    told: "broken",
  },
  {
    name: "between its chunks",
    sent: GET,
    answered: ok200("Transfer-Encoding: chunked", "4\r\nsome\r\n"),
    told: "broken",
  },
  {
    name: "in its trailers",
    sent: GET,
    answered: ok200("Transfer-Encoding: chunked", "4\r\nsome\r\n0\r\nX: y"),
    told: "broken",
  },
  {
    name: "in an early response",
    sent: SHORT,
    answered: ok200("Content-Length: 1000", "some"),
    told: "broken",
  },
];

async function hears(client: Client): Promise<number | "broken"> {
  for (;;) {
    const { status } = await readResponse(client).catch(() => ({ status: "broken" as const }));
    if (status === "broken" || status >= 200) return status;
  }
}

async function upstreamLeaves(crossing: Crossing, how: How, lines: Lines): Promise<void> {
  for (const { name, sent, answered, told } of UPSTREAM_STAGES) {
    await using client = await crossing.connect();
    await client.write(sent);
    const peer = await crossing.upstream.next();
    await peer.head();
    if (answered) peer.write(answered);
    if (answered?.endsWith("some")) {
      await client.readTo("HTTP/1.1 200 OK\r\n").then(() => client.readTo("some"));
    }
    if (how === "reset") peer.socket.resetAndDestroy();
    else peer.socket.destroy();
    const heard = answered?.endsWith("some") ? await rest(client) : await hears(client);
    equal(heard, told, name);
    lines.push([`${how} by the upstream ${name}`, "upstream"]);
  }
}

/** What began well and lacks its end. A TLS client of the runtime takes any end for a good one, so what came tells. */
async function rest(client: Client): Promise<"broken" | number> {
  const more = await client.readAll().catch(() => undefined);
  return more === undefined || more.length < 900 ? "broken" : 200;
}

/** Nobody else was hurt: requests behind all of that are answered, and each by its own upstream. */
async function stillServes(crossing: Crossing): Promise<void> {
  await using client = await crossing.connect();
  for (const path of ["/one", "/two"]) {
    await client.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
    const peer = path === "/one" ? await crossing.upstream.next() : crossing.upstream.peers.at(-1)!;
    equal((await peer.head()).split(" ")[1], path);
    peer.write(ok200(`Content-Length: ${path.length}`, path));
    equal((await readResponse(client)).content, path);
  }
}

for (const way of WAYS) {
  Deno.test(`${nameOfWay(way)}: who leaves at any stage is told of as it was, and hurts nobody else`, async () => {
    await using crossing = await Crossing.start(way);
    const { gate } = crossing, lines: Lines = [];
    for (const how of ["reset", "end"] as const) {
      await clientLeaves(crossing, how, lines);
      await upstreamLeaves(crossing, how, lines);
    }
    await gate.request(() => gate.requests.length >= lines.length);
    equal(gate.requests.map(({ side }, at) => [lines[at]?.[0], side]), lines);
    equal(gate.requests.filter(({ outcome }) => !GONE.includes(outcome)), []);
    await stillServes(crossing);
    equal(await fallen(async () => (await gate.service.status()).connections, 0), 0);
  });
}

const READER = `
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client = context.wrap_socket(plain, server_hostname="a.example", suppress_ragged_eofs=False)
client.sendall(b"GET / HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n")
try:
    while client.recv(4096): pass
    print("ended")
except (ssl.SSLError, ConnectionError):
    print("broken")
`;

Deno.test({
  name: "over TLS: a response up to the end of its connection ends in order only where the upstream's did",
  ignore: !need("python3"),
  async fn() {
    let ends = true;
    await using crossing = await Crossing.start({ front: "over TLS", back: "in clear" }, async (peer) => {
      await peer.head();
      peer.write(ok200("X: y", "some"));
      await new Promise((done) => setTimeout(done, 50));
      if (ends) peer.socket.end();
      else peer.socket.resetAndDestroy();
    });
    const read = async () =>
      (await succeed("python3", ["-c", READER, String(crossing.gate.port("edge"))])).stdout.trim();
    equal(await read(), "ended");
    ends = false;
    equal(await read(), "broken");
  },
});
