/** Whom a request is for, in every spelling: none of them leads past the `auth` of a route. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

/** Request line and Host: all for a.example. */
const SAME: readonly (readonly [target: string, host: string])[] = [
  ...[
    "a.example",
    "A.Example",
    "a.example.",
    "a.example:80",
    "a.example:8080",
    "a.example.:443",
    "a.example:",
  ]
    .map((host) => ["/", host] as const),
  ...[
    "http://a.example",
    "HTTP://A.EXAMPLE./",
    "http://a.example:80/x",
    "https://a.example",
    "http://a.example?q",
  ]
    .flatMap((target) => [[target, "open.example"], [target, ""], [target, "a.example"]] as const),
];
/** For nobody: a server might read a.example, or another name than the gate. */
const NEITHER: readonly (readonly [target: string, host: string])[] = [
  ...[
    ...[
      "x@a.example",
      "a.example@x",
      "a%2eexample",
      "a.example/",
      "a.example?",
      "a.example#",
      "a.example\\x",
    ],
    ...["a.example,open.example", "a.example open.example", "a.example:80:80", "a.example:x", "a.example:0"],
    ...[
      "a.example:65536",
      "[a.example]",
      "[::1",
      "[::1%25lo]",
      "a..example",
      ".a.example",
      "",
      "\x00",
      "a.example\x7f",
    ],
    ...["1.2.3.999", "1.2.3.4.5", "1.2.3.256:80", "1.2.3.08", "0x1.2.3.4.5", "256.1.2.3.", "4294967296"],
    ...["\xef\xbd\x81.example", "a.example\xad", "a.example:+80", "a.example: 80", "http://a.example"],
  ].map((host) => ["/", host] as const),
  ...[
    ...[
      "http://x@a.example/",
      "http://a.example@x/",
      "http:///",
      "http://",
      "http:/a.example/",
      "http:a.example",
    ],
    ...[
      "//a.example",
      "ftp://a.example/",
      "a.example",
      "a.example:80",
      "http://a%2eexample/",
      "http://a.example\\@x/",
    ],
    ...["http://[::1/", "http://a..example/", "*", "", "http://a.example#/", "?", "javascript:x"],
  ].filter((target) => !target.startsWith("//")).map((target) => [target, "open.example"] as const),
];

/** What is no HTTP to who tells protocols apart gets no answer. */
const CLOSED = 0;

Deno.test("every spelling of a host finds its route, and what is no host finds none", async () => {
  await using guarded = await rawUpstream(echoRequests);
  await using open = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { host: a.example, to: "http://127.0.0.1:${guarded.port}", auth: { basic: { alice: secret } } }
  - { to: "http://127.0.0.1:${open.port}" }
admin: { address: off }
`);
  const status = async (target: string, host: string): Promise<number> => {
    await using client = await connect(gate.port("web"));
    const head = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    await client.write(Uint8Array.from(head, (sign) => sign.charCodeAt(0)));
    return await readResponse(client).then(({ status }) => status, () => CLOSED);
  };
  for (const [target, host] of SAME) equal(await status(target, host), 401, `${target} ${host}`);
  for (const [target, host] of NEITHER) {
    const answer = await status(target, host);
    ok(answer === 400 || answer === CLOSED, `${target} ${host}: ${answer}`);
  }
  equal([guarded.peers.length, open.peers.length], [0, 0]);
  equal(await status("//a.example/x", "open.example"), 200); // a path
  ok(open.peers.length === 1);
});
