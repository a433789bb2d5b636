/** What every protocol keeps to, whatever it speaks. A protocol's test calls this with what real clients send. */
import fc from "fast-check";
import type { Protocol, Protocols } from "../../gate/contracts.ts";
import type { Stream, Verdict } from "../../gate/streams.ts";
import { type Failure, FAILURES, GateError } from "../../gate/errors.ts";
import { equal, fails, ok } from "../support/assert.ts";
import { fakeConn, FakeGate, type Script, servedBy } from "../support/fake_gate.ts";
import { memoryPair, readAll } from "../support/memory_stream.ts";

export interface ProtocolSuite {
  /** By their names: what a client sends until it has to wait for an answer, or may wait for one. */
  readonly samples: Readonly<Record<string, Uint8Array>>;
  /** Every registered protocol. */
  readonly others: Protocols;
  /** How the server side is met; absent: it has none. */
  readonly served?: Served;
}

export interface Served {
  /** Everything the client sends before its own data. */
  readonly request: Uint8Array;
  /** What it reads before the dial, and after a dial that worked. */
  readonly greeted: Uint8Array;
  readonly granted: Uint8Array;
  /** Whether the request itself goes on to the target. */
  readonly passedOn: boolean;
  /** What it reads, until the end, when the gate fails for this reason. */
  readonly refused: Readonly<Record<Failure, Uint8Array>>;
}

/** Defines the tests of one protocol. */
export function conformProtocol(name: string, protocol: Protocol, suite: ProtocolSuite): void {
  const sniff = protocol.sniff;
  if (sniff) conformSniff(name, sniff, suite);
  if (suite.served) conformServe(name, protocol, suite.served);
}

function conformSniff(
  name: string,
  sniff: (head: Uint8Array) => Verdict,
  { samples, others }: ProtocolSuite,
): void {
  for (const [sample, bytes] of Object.entries(samples)) {
    Deno.test(`${name}: every prefix of ${sample} asks for more or decides, and the decision stays`, () => {
      equal(sniff(bytes), true);
      conformVerdicts(sniff, bytes);
    });

    Deno.test(`${name}: no other protocol claims ${sample}`, () => {
      const claims = Object.entries(others).filter(([, other]) => other.sniff?.(bytes) === true);
      equal(claims.map(([other]) => other), [name]);
    });
  }

  Deno.test(`${name}: random bytes and damaged samples get verdicts that stay`, () => {
    const damaged = fc.tuple(
      fc.constantFrom(...Object.values(samples)),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
    )
      .map(([bytes, at, value]) => bytes.slice(0, 4096).with(at % Math.min(bytes.length, 40), value));
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (bytes) => {
      conformVerdicts(sniff, bytes);
    }));
  });
}

/** Over every prefix: a number is more than what is there, and a yes or no never changes. */
function conformVerdicts(sniff: (head: Uint8Array) => Verdict, bytes: Uint8Array): void {
  let decided: boolean | undefined;
  for (let length = 0; length <= bytes.length; length++) {
    const verdict = sniff(bytes.subarray(0, length));
    if (decided !== undefined) equal(verdict, decided, `after ${length} bytes`);
    else if (typeof verdict === "number") ok(verdict > length, `asks for ${verdict} of ${length}`);
    else decided = verdict;
  }
}

const ping = new TextEncoder().encode("ping"), pong = new TextEncoder().encode("pong");

/** The server side alone; for a protocol that can be met in several ways, once for each. */
export function conformServe(name: string, protocol: Protocol, served: Served): void {
  conformRelay(name, protocol, served);
  conformCuts(name, protocol, served);
  conformNonsense(name, protocol, served);
  for (const failure of FAILURES) {
    Deno.test(`${name}: "${failure}" is answered in its own words, then fails as such`, async () => {
      const reason = new GateError(failure, "gate", "Cannot connect: as the test wants it");
      const { client, conn, serving } = serve(protocol, { upstream: () => reason });
      await client.write(served.request);
      equal(await serving.catch((thrown) => thrown), reason);
      if (served.refused[failure].length > 0) ok(conn.deadlines.at(-1)! > 0, "the answer has no deadline");
      conn.stream[Symbol.dispose]();
      equal(text(await readAll(client)), text(served.greeted) + text(served.refused[failure]));
    });
  }
}

function conformRelay(
  name: string,
  protocol: Protocol,
  { request, greeted, granted, passedOn }: Served,
): void {
  const toTarget = passedOn ? request : new Uint8Array(0);

  Deno.test(`${name}: early data reaches the target behind the request, and a half-close is one`, async () => {
    const [upstream, target] = memoryPair("upstream");
    const { client, serving, gate } = serve(protocol, { upstream: () => upstream });
    await client.write(Uint8Array.from([...request, ...ping]));
    await client.closeWrite();
    await serving;
    equal(text(await readAll(target)), text(toTarget) + "ping");
    await target.write(pong);
    await target.closeWrite();
    equal(text(await readAll(client)), text(greeted) + text(granted) + "pong");
    await Promise.all(gate.relays);
  });

  Deno.test(`${name}: a request that comes byte by byte is the same request`, async () => {
    const [upstream, target] = memoryPair("upstream");
    const { client, serving, gate } = serve(protocol, { upstream: () => upstream });
    for (const byte of request) {
      await client.write(Uint8Array.of(byte));
      await Promise.resolve();
    }
    await serving;
    await client.closeWrite();
    equal(text(await readAll(target)), text(toTarget));
    await target.closeWrite();
    equal(text(await readAll(client)), text(greeted) + text(granted));
    await Promise.all(gate.relays);
  });

  Deno.test(`${name}: a reset of either side reaches the other as a reset`, async () => {
    for (const fromClient of [true, false]) {
      const [upstream, target] = memoryPair("upstream");
      const { client, serving, gate } = serve(protocol, { upstream: () => upstream });
      await client.write(request);
      await serving;
      const [cut, other] = fromClient ? [client, target] : [target, client];
      cut.abort(new GateError("reset", "client", "Cannot go on: cut by the test"));
      await fails(readAll(other), "reset");
      await Promise.all(gate.relays);
    }
  });
}

/** Clients that speak something else: what comes of it is a relay or a GateError. */
function conformNonsense(name: string, protocol: Protocol, { request }: Served): void {
  Deno.test(`${name}: random bytes, alone or behind part of a request, fail with nothing but a GateError`, async () => {
    const random = fc.uint8Array({ maxLength: 64 }), cut = fc.nat(request.length);
    await fc.assert(fc.asyncProperty(cut, random, fc.boolean(), async (cut, random, asksUser) => {
      const { client, inside, serving, gate } = serve(protocol, {}, { asksUser });
      await client.write(Uint8Array.of(...request.subarray(0, cut), ...random));
      await client.closeWrite();
      const thrown = await serving.catch((thrown) => thrown);
      ok(thrown instanceof GateError && gate.relays.length === 0, String(thrown));
      inside[Symbol.dispose]();
    }));
  });
}

/** Clients that leave: nothing waits for ever, nothing stays open. */
function conformCuts(name: string, protocol: Protocol, { request }: Served): void {
  for (const how of ["end", "reset", "silence"] as const) {
    Deno.test(`${name}: a client whose ${how} comes within the request leaves nothing open`, async () => {
      for (let length = 0; length < request.length; length += 1 + (length >> 5)) {
        const [upstream, target] = memoryPair("upstream");
        const { client, inside, serving, gate } = serve(protocol, { upstream: () => upstream });
        if (length > 0) await client.write(request.slice(0, length));
        if (how === "end") await client.closeWrite();
        else if (how === "silence") inside.late();
        else client.abort(new GateError("reset", "client", "Cannot go on: cut by the test"));
        const thrown = await serving.catch((thrown) => thrown);
        if (gate.relays.length === 0) ok(thrown instanceof GateError, String(thrown));
        inside[Symbol.dispose]();
        client[Symbol.dispose]();
        target[Symbol.dispose]();
        await Promise.all(gate.relays);
        ok(gate.asked.length === 0 || upstream.state !== "open", `${length} bytes: the upstream stays open`);
      }
    });
  }

  Deno.test(`${name}: a client that leaves during the dial leaves no upstream open`, async () => {
    const [upstream, target] = memoryPair("upstream");
    const asked = Promise.withResolvers<void>(), dial = Promise.withResolvers<Stream>();
    const { client, serving, gate } = serve(protocol, {
      upstream: () => {
        asked.resolve();
        return dial.promise;
      },
    });
    await client.write(request);
    await asked.promise;
    client.abort(new GateError("reset", "client", "Cannot go on: cut by the test"));
    dial.resolve(upstream);
    await serving.catch((thrown) => ok(thrown instanceof GateError, String(thrown)));
    target[Symbol.dispose]();
    await Promise.all(gate.relays);
    ok(upstream.state !== "open");
  });

  Deno.test(`${name}: every wait for the client has a deadline`, async () => {
    const { client, serving, conn } = serve(protocol, {});
    client[Symbol.dispose]();
    await serving.catch((thrown) => ok(thrown instanceof GateError, String(thrown)));
    ok(conn.deadlines.length > 0);
  });
}

/** The protocol serves one client in memory. */
export function serve(protocol: Protocol, script: Script, options?: Parameters<typeof fakeConn>[1]) {
  const [inside, client] = memoryPair();
  const gate = new FakeGate(script), conn = fakeConn(inside, options);
  const serving = servedBy(protocol, conn, gate);
  serving.catch(() => {}); // who awaits it sees the error; until then it has an owner
  return { client, inside, conn, gate, serving };
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
