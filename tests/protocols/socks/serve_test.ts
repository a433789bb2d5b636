import type { Target } from "../../../gate/address.ts";
import type { Failure } from "../../../gate/errors.ts";
import { protocols } from "../../../protocols/mod.ts";
import { conformProtocol, conformServe, serve } from "../../conformance/protocol.ts";
import { equal } from "../../support/assert.ts";
import { joined } from "../../support/client_hello.ts";
import { readAll } from "../../support/memory_stream.ts";

const { socks } = protocols;
const bytes = (...parts: readonly (number | string)[]) =>
  Uint8Array.from(
    parts.flatMap((part) => typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]),
  );
const NONE = new Uint8Array(0);

const GREETING = bytes(5, 1, 0);
const NAMED = bytes(5, 1, 0, 3, 9, "a.example", 0x1f, 0x90);
const IN_FOUR = bytes(4, 1, 0x1f, 0x90, 192, 0, 2, 1, "me", 0);
const IN_FOUR_A = bytes(4, 1, 0x1f, 0x90, 0, 0, 0, 1, 0, "a.example", 0);
const reply5 = (code: number) => bytes(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
const reply4 = (code: number) => bytes(0, code, 0, 0, 0, 0, 0, 0);
const GRANTED = reply5(0);

const REFUSED: Record<Failure, Uint8Array> = {
  malformed: reply5(1),
  unsupported: reply5(7),
  unauthenticated: reply5(2),
  denied: reply5(2),
  "no-route": reply5(4),
  refused: reply5(5),
  unreachable: reply5(4),
  timeout: reply5(6),
  reset: reply5(1),
  closed: reply5(1),
  exhausted: reply5(1),
  internal: reply5(1),
};

conformProtocol("socks", socks, {
  samples: {
    "a greeting": GREETING,
    "a greeting with four methods": bytes(5, 4, 0, 1, 2, 0x80),
    "a SOCKS4 request": IN_FOUR,
    "a SOCKS4A request": IN_FOUR_A,
    "a SOCKS4 BIND": bytes(4, 2, 0, 21, 192, 0, 2, 1, 0),
  },
  others: protocols,
  served: {
    request: joined(GREETING, NAMED),
    greeted: bytes(5, 0),
    granted: GRANTED,
    passedOn: false,
    refused: REFUSED,
  },
});

conformServe("socks 4A", socks, {
  request: IN_FOUR_A,
  greeted: NONE,
  granted: reply4(90),
  passedOn: false,
  refused: Object.fromEntries(Object.keys(REFUSED).map((failure) => [failure, reply4(91)])) as typeof REFUSED,
});

/** What the client reads until the end when it sends all this at once, and what serving came to. */
async function told(
  sent: Uint8Array,
  { asksUser = false, login = (_user: string, _password: string): boolean => false } = {},
) {
  const { client, conn, gate, serving } = serve(socks, { login }, { asksUser });
  await client.write(sent);
  const failure: Failure | undefined = await serving.then(() => undefined, (thrown) => thrown.failure);
  conn.stream[Symbol.dispose]();
  return {
    reply: [...await readAll(client)],
    failure,
    asked: gate.asked,
    logins: gate.logins,
    peer: conn.peer,
  };
}

Deno.test("the target is the address that was sent, in one spelling", async () => {
  const targets: [request: Uint8Array, target: Target][] = [
    [bytes(5, 1, 0, 1, 192, 0, 2, 1, 0, 80), { host: "192.0.2.1", port: 80 }],
    [bytes(5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1, 1, 0xbb), {
      host: "2001:db8::1",
      port: 443,
    }],
    [bytes(5, 1, 0, 3, 10, "A.Example.", 0, 80), { host: "a.example", port: 80 }],
    [bytes(5, 1, 0, 3, 10, "0x7f.0.0.1", 0, 80), { host: "127.0.0.1", port: 80 }],
    [bytes(5, 1, 0, 3, 3, "::1", 0, 80), { host: "::1", port: 80 }],
    [bytes(5, 1, 0, 3, 11, "bücher.de", 0, 80).with(4, 10), { host: "xn--bcher-kva.de", port: 80 }],
    [bytes(5, 1, 0, 3, 11, "unix:/run/s", 0, 80), { host: "unix:/run/s", port: 0 }],
    [bytes(5, 1, 7, 1, 192, 0, 2, 1, 0, 80), { host: "192.0.2.1", port: 80 }],
  ];
  for (const [request, target] of targets) {
    equal((await told(joined(GREETING, request))).asked, [target]);
  }
  equal((await told(IN_FOUR)).asked, [{ host: "192.0.2.1", port: 8080 }]);
  equal((await told(IN_FOUR_A)).asked, [{ host: "a.example", port: 8080 }]);
  equal((await told(IN_FOUR.with(4, 0).with(6, 0).with(7, 0))).asked, [{ host: "0.0.0.0", port: 8080 }]);
});

Deno.test("BIND and UDP ASSOCIATE are answered 7, an unknown address type 8", async () => {
  for (const command of [2, 3, 9]) {
    const { reply, failure, asked } = await told(joined(GREETING, bytes(5, command, 0, 1, 0, 0, 0, 0, 0, 0)));
    equal(reply, [5, 0, ...reply5(7)]);
    equal(failure, "unsupported");
    equal(asked, []);
  }
  equal((await told(joined(GREETING, bytes(5, 1, 0, 2)))).reply, [5, 0, ...reply5(8)]);
  equal((await told(bytes(4, 2, 0, 21, 192, 0, 2, 1, 0))).reply, [...reply4(91)]);
});

Deno.test("what names no target is answered 1 and reaches nobody", async () => {
  for (const name of ["", "a b", "a\nb", "[::1]", "1.2.3.4.5", "x".repeat(255)]) {
    const { reply, failure, asked } = await told(
      joined(GREETING, bytes(5, 1, 0, 3, name.length, name, 0, 80)),
    );
    equal(reply, [5, 0, ...reply5(1)]);
    equal(failure, "malformed");
    equal(asked, []);
  }
  equal((await told(joined(GREETING, bytes(5, 1, 0, 1, 192, 0, 2, 1, 0, 0)))).failure, "malformed");
});

Deno.test("a method that was not offered is never chosen", async () => {
  equal((await told(bytes(5, 1, 2))).reply, [5, 255]);
  equal((await told(bytes(5, 2, 1, 0x80))).reply, [5, 255]);
  equal((await told(bytes(5, 1, 0), { asksUser: true })).reply, [5, 255]);
  equal((await told(bytes(5, 0))).reply, [5, 255]);
  equal((await told(bytes(5, 1, 0), { asksUser: true })).failure, "unauthenticated");
  equal((await told(joined(bytes(5, 2, 2, 0), NAMED))).reply.slice(0, 2), [5, 0]);
});

Deno.test("a listener with users takes method 2 and the right password, and knows the user from then on", async () => {
  const login = (user: string, password: string) => user === "alice" && password === "sécret";
  const right = joined(bytes(5, 2, 0, 2), bytes(1, 5, "alice", 7, "sécret"), NAMED);
  const { reply, logins, peer, asked } = await told(right, { asksUser: true, login });
  equal(reply, [5, 2, 1, 0, ...reply5(4)]);
  equal(logins, [["alice", "sécret"]]);
  equal(peer.user, "alice");
  equal(asked, [{ host: "a.example", port: 8080 }]);
});

Deno.test("a wrong password is answered 1 and the connection ends", async () => {
  const wrong = joined(bytes(5, 1, 2), bytes(1, 5, "alice", 0), NAMED);
  const { reply, failure, asked } = await told(wrong, { asksUser: true });
  equal(reply, [5, 2, 1, 1]);
  equal(failure, "unauthenticated");
  equal(asked, []);
});

Deno.test("SOCKS4 is refused where a user is asked for", async () => {
  for (const request of [IN_FOUR, IN_FOUR_A]) {
    const { reply, failure, asked } = await told(request, { asksUser: true });
    equal(reply, [...reply4(91)]);
    equal(failure, "unauthenticated");
    equal(asked, []);
  }
});

Deno.test("texts of SOCKS4 are bounded, other versions are malformed", async () => {
  for (
    const wrong of [
      bytes(4, 1, 0, 80, 192, 0, 2, 1, "u".repeat(256)),
      bytes(4, 1, 0, 80, 0, 0, 0, 1, 0, "n".repeat(256)),
      bytes(6, 1, 0),
      joined(GREETING, bytes(4, 1, 0, 1, 192, 0, 2, 1, 0, 80)),
    ]
  ) {
    equal((await told(wrong)).failure, "malformed");
  }
  equal(
    (await told(joined(bytes(5, 1, 2), bytes(5, 1, "a", 1, "b")), { asksUser: true })).failure,
    "malformed",
  );
});
