import fc from "fast-check";
import { GateError } from "../../../gate/errors.ts";
import { Dns } from "../../../routes/dns/resolver.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { type Asked, DnsServer, type Reply, type Script } from "../../support/dns_server.ts";

const NEVER = new AbortController().signal;
const TRUTH = "10.0.0.1";
const LIE = "10.6.6.6";

function addresses(asked: Asked, address: string): Reply {
  return { answers: asked.type === "A" ? [{ name: asked.name, type: "A", data: address }] : [] };
}

async function resolve(server: DnsServer, host = "a.test", budget = 4000): Promise<string[] | undefined> {
  const settings = {
    servers: [server.target],
    search: [],
    resolvConf: "/dev/null",
    hostsFile: "/dev/null",
    budget,
  };
  using dns = new Dns(settings);
  const found = await dns.resolve({ host, port: 443 }, NEVER);
  return found?.endpoints.map(({ address }) => address.host);
}

/** The lies come first, then the truth: it has to be what is heard. */
const FORGED: Record<string, (asked: Asked) => readonly Reply[]> = {
  "with another id": (asked) => [{ ...addresses(asked, LIE), id: asked.id ^ 1 }],
  "from another port": (asked) => [{ ...addresses(asked, LIE), elsewhere: true }],
  "to another name": (
    asked,
  ) => [{ ...addresses(asked, LIE), question: { name: "b.test", type: asked.type } }],
  "to another type": (asked) => [{ ...addresses(asked, LIE), question: { name: asked.name, type: "TXT" } }],
  "cut in the middle": (
    asked,
  ) => [{ bytes: Uint8Array.of(asked.id >> 8, asked.id, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1) }],
  "that are empty": () => [{ bytes: new Uint8Array(0) }],
  "that say NXDOMAIN from another port": () => [{ rcode: 3, elsewhere: true }],
  "that say NXDOMAIN with another id": (asked) => [{ rcode: 3, id: asked.id ^ 0x100 }],
  "that say SERVFAIL with another id": (asked) => [{ rcode: 2, id: asked.id ^ 0x100 }],
  "that are questions": (
    asked,
  ) => [{ bytes: Uint8Array.of(asked.id >> 8, asked.id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0) }],
  "of 60,000 bytes": () => [{ bytes: new Uint8Array(60_000).fill(0xc0) }],
};

for (const [what, lies] of Object.entries(FORGED)) {
  Deno.test(`answers ${what} are not heard`, async () => {
    await using server = await DnsServer.start((asked) => [...lies(asked), addresses(asked, TRUTH)]);
    equal(await resolve(server), [TRUTH]);
    equal(server.count("a.test", "A"), 1);
  });
}

Deno.test("only forged answers are a timeout", async () => {
  await using server = await DnsServer.start((asked) => ({ ...addresses(asked, LIE), elsewhere: true }));
  await fails(resolve(server, "a.test", 200), "timeout");
});

Deno.test("who guesses ids sends the question to TCP, where guessing is no use", async () => {
  const script: Script = (asked) => {
    if (asked.transport === "tcp") return addresses(asked, TRUTH);
    return Array.from(
      { length: 40 },
      (_, i) => ({ ...addresses(asked, LIE), id: (asked.id + 1 + i) & 0xffff }),
    );
  };
  await using server = await DnsServer.start(script);
  equal(await resolve(server), [TRUTH]);
});

Deno.test("addresses of other names are not believed, wherever they stand", async () => {
  const other = { name: "b.test", type: "A", data: LIE };
  const glue = { name: "a.test", type: "A", data: LIE };
  await using server = await DnsServer.start((asked) => {
    if (asked.name === "b.test") return { rcode: 3 };
    return {
      answers: [...addresses(asked, TRUTH).answers ?? [], other],
      additionals: [other, glue],
      authorities: [glue],
    };
  });
  equal(await resolve(server), [TRUTH]);
  equal(await resolve(server, "b.test"), undefined);
});

Deno.test("a thousand addresses are a few dozen", async () => {
  const many = Array.from(
    { length: 900 },
    (_, i) => ({ name: "a.test", type: "A", data: `10.0.${i >> 8}.${i & 255}` }),
  );
  await using server = await DnsServer.start((asked) =>
    asked.transport === "udp" ? { truncated: true } : { answers: many }
  );
  await fails(resolve(server), "unreachable"); // longer than 16 KiB
  await using less = await DnsServer.start((asked) =>
    asked.transport === "udp" ? { truncated: true } : { answers: many.slice(0, 500) }
  );
  equal((await resolve(less))?.length, 32);
});

Deno.test("over TCP a lie, garbage and silence end the try", async () => {
  for (
    const lie of [{ id: 1 }, { truncated: true }, { bytes: new Uint8Array(12) }, {
      question: { name: "b.test", type: "A" },
    }]
  ) {
    await using server = await DnsServer.start((asked) =>
      asked.transport === "udp" ? { truncated: true } : { ...lie }
    );
    await fails(resolve(server), "unreachable");
  }
  await using silent = await DnsServer.start((asked) =>
    asked.transport === "udp" ? { truncated: true } : undefined
  );
  await fails(resolve(silent, "a.test", 200), "timeout");
});

Deno.test("an answer that comes late, but in time, is heard", async () => {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  await using server = await DnsServer.start((asked) => ({ ...addresses(asked, TRUTH), after: promise }));
  const found = resolve(server);
  while (server.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  release();
  equal(await found, [TRUTH]);
});

Deno.test("whatever datagrams come first, the truth is heard", async () => {
  await using server = await DnsServer.start(() => undefined);
  const garbage = fc.array(
    fc.tuple(fc.uint8Array({ maxLength: 80 }), fc.constantFrom("as it is", "id", "head")),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(garbage, async (datagrams) => {
      server.script = (
        asked,
      ) => [...datagrams.map(([bytes, form]) => dressed(bytes, form, asked)), addresses(asked, TRUTH)];
      equal(await resolve(server), [TRUTH]);
    }),
    { numRuns: 60 },
  );
});

Deno.test("whatever a server says, the end is places, nothing or a GateError", async () => {
  await using server = await DnsServer.start(() => undefined);
  const name = fc.constantFrom(
    "a.test",
    "b.test",
    ".",
    "A.TEST",
    "_x._tcp.a.test",
    "bad name",
    "x".repeat(63),
  );
  const record = fc.oneof(
    fc.record({ name, type: fc.constant("A"), ttl: fc.nat(), data: fc.ipV4() }),
    fc.record({ name, type: fc.constant("AAAA"), ttl: fc.nat(), data: fc.ipV6() }),
    fc.record({ name, type: fc.constant("CNAME"), ttl: fc.nat(), data: name }),
    fc.record({
      name,
      type: fc.constant("SRV"),
      data: fc.record({ priority: fc.nat(3), weight: fc.nat(9), port: fc.nat(65535), target: name }),
    }),
    fc.record({ name, type: fc.constant("TXT"), data: fc.string() }),
  );
  const reply = fc.record({
    answers: fc.array(record, { maxLength: 6 }),
    additionals: fc.array(record, { maxLength: 2 }),
    rcode: fc.constantFrom(0, 0, 0, 2, 3, 5, 9),
    truncated: fc.constantFrom(false, false, true),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(reply, { minLength: 1, maxLength: 4 }), name, async (replies, host) => {
      let turn = 0;
      server.script = () => replies[turn++ % replies.length];
      const outcome = await resolve(server, host, 1000).catch((thrown: unknown) => thrown);
      ok(outcome === undefined || Array.isArray(outcome) || outcome instanceof GateError, `${outcome}`);
    }),
    { numRuns: 80 },
  );
});

function dressed(bytes: Uint8Array, form: string, asked: Asked): Reply {
  const head = {
    "as it is": [],
    id: [asked.id >> 8, asked.id],
    head: [asked.id >> 8, asked.id, 0x81, 0x80, 0, 1, 0, 1],
  };
  return { bytes: Uint8Array.of(...head[form as keyof typeof head], ...bytes) };
}
