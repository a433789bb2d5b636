/** Where TLS ends on a running gate: reloads in between, dials that fail, rights that are taken away. */
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { startGate } from "../support/gate.ts";
import { connect, listen, listenEcho } from "../support/net.ts";
import { connectSecure } from "../support/tls_clients.ts";

const authority = await Authority.make("ends");
const site = await authority.issue(["end.example"]), renewed = await authority.issue(["end.example"]);
const ca = authority.root.chain;
openssl(); // it stays open: not in a test
const name = { servername: "end.example", ca };

const yaml = (routes: string, { pair = site, more = "" } = {}) => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls] } }
routes: [${routes}]
certificates: [{ cert: "${pair.chainFile}", key: "${pair.keyFile}" }]
admin: { address: "off" }
${more}`;
const ends = (port: number, more = "") =>
  `{ host: end.example, tls: terminate, to: "127.0.0.1:${port}"${more} }`;

Deno.test("who cannot be dialed ends for the client behind its handshake, and is recorded", async () => {
  await using gone = await listenEcho();
  await using gate = await startGate(yaml(ends(1)));
  await using client = await connectSecure({ port: gate.port("edge"), ...name });
  equal(await client.client.text(), "");
  const { outcome, side, target, serverName } = await gate.record();
  equal([outcome, side, target, serverName], ["refused", "upstream", "end.example:443", "end.example"]);
  ok(gone.port > 0);
});

Deno.test("routes that change cut nobody; what was opened keeps going where it went", async () => {
  await using one = await listenEcho();
  await using other = await listen((socket) => socket.end("other"));
  await using gate = await startGate(yaml(ends(one.port)));
  await using client = await connectSecure({ port: gate.port("edge"), ...name });
  await client.client.write("before");
  await client.client.read(6);
  equal((await gate.reload(yaml(ends(other.port), { pair: renewed }))).changes, [
    "routes: 1 new, 1 gone",
    "certificates: end.example changed",
  ]);
  await client.client.write("after");
  equal(new TextDecoder().decode(await client.client.read(5)), "after");
  await using next = await connectSecure({ port: gate.port("edge"), ...name });
  equal(await next.client.text(), "other");
});

Deno.test("policy that bars a source cuts who is inside, and who is inside of that", async () => {
  await using echo = await listenEcho();
  const inside = (policy = "") => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, ssh] } }
routes: [{ host: end.example, tls: terminate }, { protocol: ssh, to: "127.0.0.1:${echo.port}" }]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
admin: { address: "off" }
${policy}`;
  await using gate = await startGate(inside());
  await using client = await connectSecure({ port: gate.port("edge"), ...name });
  await client.client.write("SSH-2.0");
  await client.client.read(7);
  await gate.reload(inside('policy: [{ deny: { sources: "127.0.0.0/8" } }]'));
  await client.client.readAll().catch(() => {});
  equal((await gate.record(({ protocol }) => protocol === "ssh")).outcome, "denied");
  equal((await gate.record(({ protocol }) => protocol === "tls")).outcome, "denied");
});

Deno.test("sources, PROXY headers and limits of a route hold where TLS ends as elsewhere", async () => {
  const seen: string[] = [];
  await using server = await listen((socket) =>
    socket.once("data", (bytes) => {
      seen.push(bytes.toString("latin1").split("\r\n")[0]);
      socket.end("seen");
    })
  );
  await using gate = await startGate(yaml(ends(server.port, ", proxyProtocol: v1")));
  const port = gate.port("edge");
  {
    await using client = await connectSecure({ port, ...name });
    await client.client.write("x");
    equal(await client.client.text(), "seen");
    equal(seen, [`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${port}`]);
  }
  equal((await gate.reload(yaml(ends(server.port, ', sources: "10.0.0.0/8"')))).result, "applied");
  const refused = await connectSecure({ port, ...name }).then(() => "in", String);
  ok(/unrecognized|UnrecognisedName/i.test(refused), refused);
  equal((await gate.record(({ outcome }) => outcome === "denied")).serverName, "end.example");
});

Deno.test("a client that says nothing in its handshake is cut at the handshake's time", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(yaml(ends(echo.port), { more: "limits: { handshakeTimeout: 300ms }" }));
  const hello = Promise.withResolvers<Uint8Array>();
  await using recorder = await listen((socket) => socket.once("data", (bytes) => hello.resolve(bytes)));
  const silent = connectSecure({ port: recorder.port, ...name }).then(() => "in", () => "over");
  await using raw = await connect(gate.port("edge"));
  await raw.write(await hello.promise);
  await raw.readAll().catch(() => {});
  const { outcome, side, cause } = await gate.record();
  equal([outcome, side, cause], ["timeout", "client", "Cannot finish a TLS handshake: not within 300 ms"]);
  for (const socket of recorder.sockets) socket.destroy();
  equal(await silent, "over");
});

Deno.test("whatever becomes of a handshake, nobody is counted for good", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(yaml(ends(echo.port)));
  const port = gate.port("edge");
  const hello = Promise.withResolvers<Uint8Array>();
  await using recorder = await listen((socket) => socket.once("data", (bytes) => hello.resolve(bytes)));
  const silent = connectSecure({ port: recorder.port, ...name }).catch(() => {});
  const bytes = await hello.promise;
  for (const socket of recorder.sockets) socket.destroy();
  await silent;
  for (const more of ["", "garbage that is no record of TLS at all", "\x15\x03\x03\x00\x02\x02\x28"]) {
    for (const close of ["end", "reset"] as const) {
      await using raw = await connect(port);
      await raw.write(bytes);
      await raw.write(Uint8Array.from(more, (sign) => sign.charCodeAt(0)));
      raw[close]();
      ok((await gate.record()).outcome !== "ok");
    }
  }
  await connectSecure({ port, ...name, ca: "" }).catch(() => {}); // it does not believe us
  await using client = await connectSecure({ port, ...name });
  await client.client.write("x");
  await client.client.read(1);
  client.socket.end();
  await gate.record(({ outcome }) => outcome === "ok");
  const late = performance.now() + 10_000;
  while (gate.service.present > 0) {
    ok(performance.now() < late, `${gate.service.present} are counted`);
    await new Promise((done) => setTimeout(done, 20));
  }
});

Deno.test("a changed file is another configuration, though its text is the same", async () => {
  await using echo = await listenEcho();
  const pair = {
    ...site,
    chainFile: `${authority.folder.path}/moving.pem`,
    keyFile: `${authority.folder.path}/moving.key`,
  };
  const put = async ({ chain, key }: typeof site) => {
    await Deno.writeTextFile(pair.chainFile, chain);
    await Deno.writeTextFile(pair.keyFile, key);
  };
  await put(site);
  await using gate = await startGate(yaml(ends(echo.port), { pair }));
  equal((await gate.reload(gate.disk.text)).result, "unchanged");
  await put(renewed);
  equal((await gate.reload(gate.disk.text)).changes, ["certificates: end.example changed"]);
  await Deno.writeTextFile(pair.keyFile, site.key);
  const { result, problems } = await gate.reload(gate.disk.text);
  equal(result, "refused");
  ok(
    /certificates\[0\]\.key: Cannot use a private key: it does not belong/.test(problems.join()),
    problems.join(),
  );
  await using client = await connectSecure({ port: gate.port("edge"), ...name });
  await client.client.write("x");
  await client.client.read(1);
});
