/** What a fallback is sent behind the sniff time's silence: everything, in whatever pieces, but no PROXY header. */
import { equal, ok } from "../support/assert.ts";
import { atOnce } from "../support/at_once.ts";
import { Greeter } from "../support/greeter.ts";
import { type Client, connect, pattern } from "../support/net.ts";
import { type Program, withProgram } from "../support/program.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array): string => new TextDecoder().decode(read);

const V2_SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10];
/** Headers, and how many of their bytes may still become something else. */
const HEADERS: Record<string, { header: Uint8Array; open: number }> = {
  v1: { header: bytes("PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n"), open: 5 },
  v2: {
    header: Uint8Array.of(...V2_SIGNATURE, 0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 4, 210, 1, 187),
    open: 11,
  },
};

const listener = (port: number): string => `
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls, http], fallback: "127.0.0.1:${port}", sniffTimeout: 100ms }
  wary: { address: "127.0.0.1:0", protocols: [tls, http], fallback: "127.0.0.1:${port}", sniffTimeout: 100ms, proxyProtocol: ["127.0.0.0/8"] }
routes: [{ host: a.test, to: "127.0.0.1:1" }, { protocol: http, to: "127.0.0.1:1" }]`;

/** As the journal has it; to be asked before it is closed. */
const peerOf = ({ socket }: Client): string => `127.0.0.1:${socket.localPort}`;

/** It is cut by a reset; what the journal says of it, and that it counts what had gone on. */
async function isCut(program: Program, client: Client, up: number): Promise<void> {
  const peer = peerOf(client);
  const record = await program.record((record) => record.peer === peer);
  equal([record.protocol, record.outcome, record.side, record.up], ["unknown", "denied", "client", up]);
  ok(record.cause?.includes("PROXY header: its source is not in proxyProtocol"), record.cause);
  equal(await client.readAll().then(() => "end", (error) => error.code), "ECONNRESET");
}

for (const [version, { header, open }] of Object.entries(HEADERS)) {
  for (const when of ["behind silence", "begun before the sniff time is over"]) {
    Deno.test(`a PROXY header ${version} ${when} is cut wherever it is split, and never whole at the fallback`, async () => {
      await using greeter = await Greeter.start();
      await withProgram(listener(greeter.port), async (program) => {
        const early = when !== "behind silence";
        // Up to `open` bytes wait for the time to be over; more are known at once, and never reach the fallback.
        const cuts = early ? open + 1 : header.length + 1;
        await atOnce(16, cuts, async (cut) => {
          await using client = await connect(program.port("edge"));
          if (early) await client.write(header.subarray(0, cut));
          const server = await greeter.greeted(client);
          if (!early) await client.write(header.subarray(0, cut));
          const gone = cut <= open ? cut : 0;
          equal(await server.read(gone), header.subarray(0, gone));
          if (cut <= open) await client.write(header.subarray(cut));
          await isCut(program, client, gone);
          equal(await server.readAll().then(String, (error) => error.code), "ECONNRESET");
        });
      });
    });
  }

  Deno.test(`a PROXY header ${version} that comes byte by byte behind silence is cut at its signature's last`, async () => {
    await using greeter = await Greeter.start();
    await withProgram(listener(greeter.port), async (program) => {
      await using client = await connect(program.port("edge"));
      const server = await greeter.greeted(client);
      for (let at = 0; at < open; at++) {
        await client.write(header.subarray(at, at + 1));
        equal(await server.read(1), header.subarray(at, at + 1));
      }
      await client.write(header.subarray(open, open + 1));
      await isCut(program, client, open);
    });
  });
}

Deno.test("behind a trusted PROXY header a second one is cut too, though it began in one packet with the first", async () => {
  await using greeter = await Greeter.start();
  await withProgram(listener(greeter.port), async (program) => {
    await using client = await connect(program.port("wary"));
    await client.write("PROXY UNKNOWN\r\nPROX");
    const server = await greeter.greeted(client, "PROX");
    await client.write("Y TCP4 ");
    await isCut(program, client, 4);
    equal(await server.readAll().then(String, (error) => error.code), "ECONNRESET");
  });
});

Deno.test("what only begins like a PROXY header reaches the fallback byte by byte behind silence, and goes on", async () => {
  await using greeter = await Greeter.start();
  await withProgram(listener(greeter.port), async (program) => {
    const said = [
      ...["POST / HTTP/1.1\r\n", "PUT x", "PROXIED", "PROXY\r\n", "P", "proxy "].map(bytes),
      ...["\r\n", "\r\n\r\n\r\n", "\r\n\r\n\0\r\nQUIX"].map(bytes),
    ];
    await atOnce(8, said.length, async (i) => {
      await using client = await connect(program.port("edge"));
      const server = await greeter.greeted(client);
      for (let at = 0; at < said[i].length; at++) {
        await client.write(said[i].subarray(at, at + 1));
        equal(await server.read(1), said[i].subarray(at, at + 1));
      }
      const peer = peerOf(client);
      await server.write("heard");
      equal(text(await client.read(5)), "heard");
      client.end();
      equal((await server.readAll()).length, 0);
      await server.write("bye");
      server.end();
      equal(await client.text(), "bye");
      equal((await program.record((record) => record.peer === peer)).outcome, "ok");
    });
  });
});

Deno.test("a dialogue that the server begins goes on behind silence, up to megabytes each way", async () => {
  await using greeter = await Greeter.start();
  await withProgram(listener(greeter.port), async (program) => {
    await using client = await connect(program.port("edge"));
    const server = await greeter.greeted(client);
    await server.write("250-more before the client has spoken\r\n");
    equal((await client.read(39)).length, 39);
    for (
      const [says, answer] of [["EHLO me\r\n", "250 mail.test\r\n"], ["PROXY TCP4 late\r\n", "500 what\r\n"]]
    ) {
      await client.write(says);
      equal(text(await server.read(says.length)), says);
      await server.write(answer);
      equal(text(await client.read(answer.length)), answer);
    }
    const up = pattern(5_000_000, 3), down = pattern(5_000_000, 4);
    const [gotUp, gotDown] = await Promise.all([
      server.read(up.length),
      client.read(down.length),
      client.write(up),
      server.write(down),
    ]);
    ok(isSame(gotUp, up) && isSame(gotDown, down), "bytes differ");
    server.end(); // who has ended still receives
    equal((await client.readAll()).length, 0);
    await client.write("QUIT\r\n");
    client.end();
    equal(text(await server.readAll()), "QUIT\r\n");
    equal((await program.record()).outcome, "ok");
  });
});

const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
