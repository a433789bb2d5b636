/**
 * What requests are smuggled by, line by line, each as an attack on a running gate: behind it stands a request that the
 * backend must never see, or a response that no client may get. In clear and over TLS, whole and octet by octet.
 */
import { equal, ok } from "../../support/assert.ts";
import { Crossing, type Way } from "../../support/crossings.ts";
import { latin1 } from "../../support/http_codec.ts";
import { readResponse } from "../../support/http_peers.ts";
import { readStrictly } from "../../support/strict_reader.ts";

const HOST = "Host: a.example\r\n";
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const get = (lines: string) => `GET / HTTP/1.1\r\n${HOST}${lines}\r\n${SMUGGLED}`;
const post = (lines: string, content = "") => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${content}`;
/** For who reads the length the rest is content, for who reads chunks it is the next request; and the other way round. */
const EMPTY = "0\r\n\r\n";
const hidden = (lines: string) => post(lines, EMPTY + SMUGGLED);
const length = (value: string) => post(`Content-Length:${value}\r\n`, "hello" + SMUGGLED);
const coding = (value: string) => hidden(`Transfer-Encoding:${value}\r\n`);
const target = (text: string) => `GET ${text} HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`;
const host = (text: string) => `GET / HTTP/1.1\r\nHost:${text}\r\n\r\n${SMUGGLED}`;
const chunks = (text: string) => post(CHUNKED, text + SMUGGLED);

const LIE = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
const answer = (lines: string, content = "") => `HTTP/1.1 200 OK\r\n${lines}\r\n${content}${LIE}`;

interface Line {
  /** Each is refused, and what stands behind it is no request. */
  readonly requests: readonly string[];
  /** Of an upstream: each is a 502, or breaks off, and what stands behind it is no response. */
  readonly responses?: readonly string[];
}

/** The lines of the refusal list. */
const LINES: Readonly<Record<string, Line>> = {
  "both Content-Length and Transfer-Encoding": {
    requests: [
      hidden(`Content-Length: ${EMPTY.length + SMUGGLED.length}\r\n${CHUNKED}`),
      hidden(`${CHUNKED}Content-Length: 5\r\n`),
      hidden(`Content-Length: 0\r\ntransfer-encoding: CHUNKED\r\n`),
      post(`Content-Length: 6\r\n${CHUNKED}`, `0\r\n\r\nG${SMUGGLED}`),
      hidden(`Connection: content-length\r\nContent-Length: 5\r\n${CHUNKED}`),
    ],
    responses: [
      answer(`Content-Length: 5\r\n${CHUNKED}`, EMPTY),
      answer(`${CHUNKED}Content-Length: 500\r\n`, EMPTY),
    ],
  },
  "a repeated length": {
    requests: [
      post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello" + SMUGGLED),
      post("Content-Length: 0\r\nContent-Length: 5\r\n", SMUGGLED),
      post("Content-Length: 5\r\ncontent-length: 5\r\n", "hello" + SMUGGLED),
      length(" 5, 5"),
      length(" 0, 5"),
    ],
    responses: [answer("Content-Length: 0\r\nContent-Length: 60\r\n"), answer("Content-Length: 0, 60\r\n")],
  },
  "a malformed length": {
    requests: [
      "",
      " ",
      " +5",
      " -5",
      " 0x5",
      " 5.0",
      " 5e0",
      " 5_0",
      " 5;",
      " five",
      ' "5"',
      " 5 0",
      "\x0b5",
      " ５",
    ]
      .concat(" 18446744073709551621", " 1000000000000000")
      .map((value) => length(value.replace("５", "\xef\xbc\x95"))),
    responses: [
      answer("Content-Length: +0\r\n"),
      answer("Content-Length: 0x0\r\n"),
      answer("Content-Length:\r\n"),
    ],
  },
  "a Transfer-Encoding other than a final chunked": {
    requests: [
      " chunked, identity",
      " identity",
      " gzip",
      " chunked, chunked",
      " chunked, gzip",
      " xchunked",
      " chunkedx",
    ]
      .concat(
        " chunked,",
        " ,chunked",
        ' "chunked"',
        " chunked;q=1",
        "\x0bchunked",
        " chunked\x0b",
        " chun ked",
        "",
      )
      .concat(" gzip, chunked", " identity, chunked", " \xa0chunked", " chunked\xa0")
      .map(coding)
      .concat(hidden(`${CHUNKED}${CHUNKED}`), hidden(`${CHUNKED}Transfer-Encoding: identity\r\n`))
      .concat(`POST / HTTP/1.0\r\n${HOST}${CHUNKED}\r\n${EMPTY}${SMUGGLED}`),
    responses: [
      answer("Transfer-Encoding: identity\r\n"),
      answer("Transfer-Encoding: chunked, identity\r\n", EMPTY),
      answer("Transfer-Encoding: xchunked\r\n", EMPTY),
      answer("Transfer-Encoding: gzip, chunked\r\n", EMPTY),
      `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n${EMPTY}${LIE}`,
    ],
  },
  "a bare CR": {
    requests: [
      get("X: y\rContent-Length: 5\r\n"),
      get("X: y\r\rZ: 1\r\n"),
      get("\rX: y\r\n"),
      get("X\r: y\r\n"),
      `GET / HTTP/1.1\r${HOST}\r\n${SMUGGLED}`,
      chunks("5\rhello\r\n0\r\n\r\n"),
      chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"),
      chunks("5\r\nhello\r0\r\n\r\n"),
      chunks("0\r\nX: y\rZ: 1\r\n\r\n"),
    ],
    responses: [answer("X: y\rContent-Length: 0\r\n"), answer(CHUNKED, "0\r\r\n\r\n")],
  },
  "a bare LF": {
    requests: [
      get("X: y\nContent-Length: 5\r\n"),
      get(`X: y\n${CHUNKED}`),
      get("X: y\n"),
      `GET / HTTP/1.1\n${HOST}\r\n${SMUGGLED}`,
      `GET / HTTP/1.1\nHost: a.example\n\n${SMUGGLED}`,
      post("", "").slice(0, -2) + `\n${SMUGGLED}`,
      chunks("5\nhello\r\n0\r\n\r\n"),
      chunks("5;\nhello\r\n0\r\n\r\n"),
      chunks("5\r\nhello\n0\r\n\r\n"),
      chunks("0\n\r\n"),
      chunks("0\r\n\n"),
      chunks("0\r\nX: y\n\r\n"),
    ],
    responses: [
      answer("X: y\nContent-Length: 0\r\n"),
      answer(CHUNKED, "0\n\r\n"),
      "HTTP/1.1 200 OK\nX: y\r\n\r\n" + LIE,
    ],
  },
  "whitespace before the colon": {
    requests: [
      post("Content-Length : 5\r\n", "hello" + SMUGGLED),
      hidden("Transfer-Encoding : chunked\r\n"),
      hidden("Transfer-Encoding\t: chunked\r\n"),
      hidden(`Content-Length: 5\r\nTransfer-Encoding : chunked\r\n`),
      get("X : y\r\n"),
      chunks("0\r\nX : y\r\n\r\n"),
    ],
    responses: [answer("Content-Length : 0\r\n"), answer("Transfer-Encoding : chunked\r\n", EMPTY)],
  },
  "a folded line": {
    requests: [
      hidden("Transfer-Encoding:\r\n chunked\r\n"),
      hidden("X: y\r\n Transfer-Encoding: chunked\r\n"),
      post("Content-Length:\r\n\t5\r\n", "hello" + SMUGGLED),
      get(" X: y\r\n"),
      `GET / HTTP/1.1\r\n ${HOST}${HOST}\r\n${SMUGGLED}`,
      get("X: y\r\n \r\n"),
      chunks("0\r\nX: y\r\n z\r\n\r\n"),
    ],
    responses: [answer("X: y\r\n Content-Length: 0\r\n"), answer("Content-Length:\r\n 0\r\n")],
  },
  "NUL": {
    requests: [
      post("Content-Length: 5\0\r\n", "hello" + SMUGGLED),
      hidden("Transfer-Encoding: chunked\0\r\n"),
      hidden("Transfer-Encoding\0: chunked\r\n"),
      get("X: \0\r\n"),
      `GET /\0 HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`,
      `G\0T / HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`,
      host(" a.example\0.b"),
      chunks("5;\0\r\nhello\r\n0\r\n\r\n"),
      chunks("0\r\nX: \0\r\n\r\n"),
    ],
    responses: [answer("X: \0\r\nContent-Length: 0\r\n"), answer("Content-Length: 0\0\r\n")],
  },
  "control octets": {
    requests: [
      ...["\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x7f"].flatMap((sign) => [
        get(`X: y${sign}z\r\n`),
        get(`X${sign}: y\r\n`),
        target(`/a${sign}b`),
      ]),
      hidden("Transfer-Encoding:\x0cchunked\r\n"),
      chunks("5\x0b\r\nhello\r\n0\r\n\r\n"),
    ],
    responses: [answer("X: y\x0bz\r\nContent-Length: 0\r\n"), answer("X\x01: y\r\nContent-Length: 0\r\n")],
  },
  "an invalid request target": {
    requests: [
      "a",
      "?a",
      "\\a",
      "*",
      "/a#b",
      "/a b",
      "/\xc3\xa9",
      "http:/a.example/",
      "ftp://a.example/",
      "http:///x",
    ]
      .concat(
        "http://u@a.example/",
        "http://a b/",
        "http://a.example:0/",
        "http://[::1/",
        "a.example:443",
        "",
      )
      .map(target),
  },
  "an invalid Host": {
    requests: [
      "",
      " ",
      " a b",
      " a/b",
      " u@a",
      " a,b",
      " http://a",
      " a?b",
      " a#b",
      " a\\b",
      " a%2eb",
      " ::1",
      " [::1]x",
    ]
      .concat(" a..b", " .a", " a:b", " a:0x50", " a:+80", " a:80:80", " \xff")
      .map(host)
      .concat(`GET / HTTP/1.1\r\n\r\n${SMUGGLED}`, get("Host: b.example\r\n"), get(HOST)),
  },
};

const TRUTH = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";
const FIRST = `GET /first HTTP/1.1\r\n${HOST}\r\n`;

type Write = (socket: { write(bytes: Uint8Array): unknown }, text: string) => void | Promise<void>;

const whole: Write = (socket, text) => void socket.write(latin1(text));

async function octetByOctet(socket: { write(bytes: Uint8Array): unknown }, text: string): Promise<void> {
  for (const octet of latin1(text)) {
    socket.write(Uint8Array.of(octet));
    await new Promise((done) => setImmediate(done));
  }
}

/** An upstream that lies where it is asked to, tells the truth else, and remembers all that it heard. */
class World implements AsyncDisposable {
  readonly heard: string[] = [];
  /** What is answered next at /lie. */
  lie = "";
  crossing!: Crossing;

  static async start(way: Way, write: Write): Promise<World> {
    const world = new World();
    world.crossing = await Crossing.start(way, (peer) => {
      let text = "";
      peer.socket.on("data", async (bytes) => {
        world.heard.push(bytes.toString("latin1"));
        const { requests, rest } = readStrictly(text + bytes.toString("latin1"));
        text = rest;
        for (const { target } of requests) {
          await (target === "/lie" ? write(peer.socket, world.lie) : peer.write(TRUTH));
        }
      });
    });
    return world;
  }

  /** What is refused, and nothing behind it goes up. */
  async attackUpstream(attack: string, write: Write): Promise<void> {
    const what = JSON.stringify(attack.slice(0, 150));
    this.heard.length = 0;
    await using client = await this.crossing.connect();
    await client.write(FIRST);
    equal((await readResponse(client)).content, "right", what);
    await write(client.socket, attack);
    const { status, head } = await readResponse(client);
    ok([400, 501].includes(status) && /^connection: close\r$/im.test(head), `${what}: ${head}`);
    await client.readAll().catch(() => {}); // a reset where more came than it read
    ok(!this.heard.some((text) => text.includes("smuggled")), what);
  }

  /** A 502, or a response that breaks off; and whoever asks next gets the answer to that. */
  async attackClients(lie: string): Promise<void> {
    const what = JSON.stringify(lie.slice(0, 150));
    this.lie = lie;
    await using client = await this.crossing.connect();
    await client.write(`GET /lie HTTP/1.1\r\n${HOST}\r\n`);
    const first = await readResponse(client).catch(() => undefined);
    ok(!first || first.status === 502, `${what}: ${first?.status}`);
    await client.write(FIRST).catch(() => {});
    const next = await readResponse(client).catch(() => undefined);
    ok(!next || next.content === "right", `${what}: ${next?.content}`);
    await using other = await this.crossing.connect();
    await other.write(FIRST);
    equal((await readResponse(other)).content, "right", what);
  }

  async attack(lines: readonly Line[], write: Write): Promise<void> {
    for (const { requests, responses = [] } of lines) {
      for (const attack of requests) await this.attackUpstream(attack, write);
      for (const lie of responses) await this.attackClients(lie);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crossing[Symbol.asyncDispose]();
  }
}

const CLEAR: Way = { front: "in clear", back: "in clear" },
  TLS: Way = { front: "over TLS", back: "over TLS" };

for (const [name, line] of Object.entries(LINES)) {
  Deno.test(`nothing is smuggled by ${name}`, async () => {
    await using world = await World.start(CLEAR, whole);
    await world.attack([line], whole);
  });
}

Deno.test("nothing of all that is smuggled over TLS", async () => {
  await using world = await World.start(TLS, whole);
  await world.attack(Object.values(LINES), whole);
});

Deno.test("nothing is smuggled by what comes octet by octet", async () => {
  await using world = await World.start(CLEAR, octetByOctet);
  const some = Object.values(LINES).map(({ requests, responses }) => ({
    requests: requests.slice(0, 1),
    responses: responses?.slice(0, 1),
  }));
  await world.attack(some, octetByOctet);
});

Deno.test("a wish for HTTP/2 in clear is no way past the gate: it is removed, and the request served", async () => {
  const heads: string[] = [];
  await using crossing = await Crossing.start(CLEAR, async (peer) => {
    for (;;) {
      heads.push(await peer.head());
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  for (
    const lines of [
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
      "Connection: Upgrade\r\nUpgrade: H2C\r\n",
      "HTTP2-Settings: AAMAAABk\r\n",
      "Upgrade: h2c\r\n",
    ]
  ) {
    await using client = await crossing.connect();
    await client.write(`GET / HTTP/1.1\r\n${HOST}${lines}\r\n`);
    equal((await readResponse(client)).content, "ok");
    ok(!/h2c|http2-settings|^upgrade/im.test(heads.at(-1)!), heads.at(-1));
  }
});
