/** `ugate run` without a configuration: a proxy for this machine, and the codes by which it says no. */
import { freePort } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { run, succeed } from "../support/child.ts";
import { connect } from "../support/net.ts";
import { Program } from "../support/program.ts";
import { startDeaf } from "../support/servers.ts";

const GATE = "127.0.0.1:15080", ADMIN = "127.0.0.1:15000";
/** curl's exit codes: a proxy said no to SOCKS; receiving failed. */
const CURLE_PROXY = 97, CURLE_RECV_ERROR = 56;
const CURL = ["-sS", "--max-time", "20"];
/** The refusals of SOCKS5 by what is asked for: RFC 1928's reply, and curl's words for it. */
const REFUSALS: [what: string, url: (closed: number) => string, socks: string, connect: string][] = [
  ["the gate's own port", () => `http://${GATE}/`, "(2)", "403"],
  ["the admin page", () => `http://${ADMIN}/`, "(2)", "403"],
  ["a metadata address", () => "http://169.254.169.254/", "(2)", "403"],
  ["the same, in one number", () => "http://2852039166/", "(2)", "403"],
  ["a name that there is not", () => "http://no-such-name.invalid/", "(4)", "502"],
  ["a closed port", (closed) => `http://127.0.0.1:${closed}/`, "(5)", "502"],
];

/** Where Deno keeps packages: the program shall not fetch them anew because its HOME is another one. */
function denoDir(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  return Deno.env.get("DENO_DIR") ?? `${cache}/deno`;
}

Deno.test({
  name: "the built-in default serves SOCKS, CONNECT and TLS by name on loopback, and its admin page",
  ignore: !need("curl"),
  async fn(test) {
    await using web = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      () => new Response("hello"),
    );
    const url = (host: string) => `http://${host}:${web.addr.port}/`;
    await using program = await Program.start(undefined, {
      env: {
        DENO_DIR: denoDir(),
        HOME: "/nonexistent",
        XDG_STATE_HOME: "/nonexistent/state",
        UGATE_CONFIG: "",
      },
    });

    await test.step("the banner says what listens where", () => {
      equal(program.addresses("local"), [GATE]);
      equal(program.addresses("admin"), [ADMIN]);
      ok(program.child.stdout.startsWith("ugate "), program.child.stdout);
      ok(program.child.stdout.includes("built-in configuration"), program.child.stdout);
      ok(/^(.*"ulimit -n .*\n)?$/.test(program.child.stderr), program.child.stderr);
    });

    await test.step("curl comes through by every proxy it knows, and as the `try:` line says", async () => {
      for (const proxy of ["socks4", "socks4a", "socks5", "socks5h"]) {
        const { stdout } = await succeed("curl", [...CURL, "-x", `${proxy}://${GATE}`, url("localhost")]);
        equal(stdout, "hello", proxy);
      }
      equal(
        (await succeed("curl", [...CURL, "-p", "-x", `http://${GATE}`, url("localhost")])).stdout,
        "hello",
      );
      const [, tried] = await program.child.line(/^try: curl (.*) https:\/\/example\.com\/$/m);
      equal((await succeed("curl", [...CURL, ...tried.split(" "), url("localhost")])).stdout, "hello");
    });

    await test.step("a refused target gets the code that says why", async () => {
      const closed = freePort();
      for (const [what, target, socks, status] of REFUSALS) {
        const five = await run("curl", [...CURL, "-x", `socks5h://${GATE}`, target(closed)]);
        equal(five.code, CURLE_PROXY, what);
        ok(five.stderr.includes(socks), `${what}: ${five.stderr}`);
        const four = await run("curl", [...CURL, "-x", `socks4a://${GATE}`, target(closed)]);
        equal(four.code, CURLE_PROXY, what);
        ok(four.stderr.includes("(91)"), `${what}: ${four.stderr}`);
        const tunnel = await run("curl", [...CURL, "-v", "-p", "-x", `http://${GATE}`, target(closed)]);
        equal(tunnel.code, CURLE_RECV_ERROR, what);
        ok(tunnel.stderr.includes(`< HTTP/1.1 ${status} `), `${what}: ${tunnel.stderr}`);
      }
    });

    await test.step("what is not served here is answered in the protocol's own words", async () => {
      const plain = await run("curl", [...CURL, "-w", "%{http_code}", `http://${GATE}/`]);
      ok(plain.stdout.endsWith("404"), plain.stdout);
      for (const command of [2, 3]) {
        await using client = await connect(15080);
        await client.write(Uint8Array.of(5, 1, 0, 5, command, 0, 1, 127, 0, 0, 1, 0, 80));
        equal([...(await client.readAll()).subarray(0, 4)], [5, 0, 5, 7]);
      }
      await using unoffered = await connect(15080);
      await unoffered.write(Uint8Array.of(5, 1, 2)); // passwords alone, where there are no users
      equal([...await unoffered.readAll()], [5, 0xff]);
    });

    await test.step("the admin page tells its health, listeners and counters, and to nobody by another name", async () => {
      equal(await (await program.admin("/healthz")).text(), "ok\n");
      await program.record(({ outcome }) => outcome === "denied"); // counters travel with the journal
      const status = await (await program.admin("/status")).json();
      const [{ listener, address, protocols, ended }] = status.listeners;
      equal([listener, address, protocols], ["local", GATE, ["socks", "connect", "http", "tls"]]);
      ok(ended > 10, `${ended} connections are over`);
      ok(JSON.stringify(status).includes("denied"), JSON.stringify(status));
      const rebound = await run("curl", [...CURL, "-H", "Host: evil.test", `http://${ADMIN}/status`]);
      ok(rebound.stdout.startsWith("Cannot answer"), rebound.stdout);
    });
    equal(await program.stop(), 0);
  },
});

Deno.test({
  name: "a dial that nobody answers ends as a timeout: SOCKS reply 6, CONNECT 504",
  ignore: !need("python3"),
  async fn() {
    await using deaf = await startDeaf();
    await using program = await Program.start(`
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks, connect] }
limits: { dialTimeout: 500ms }
admin: { address: "off" }
`);
    await using socks = await connect(program.port("local"));
    await socks.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, deaf.port >> 8, deaf.port & 0xff));
    equal([...(await socks.readAll()).subarray(2, 4)], [5, 6]);
    await using tunnel = await connect(program.port("local"));
    await tunnel.write(`CONNECT 127.0.0.1:${deaf.port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    ok((await tunnel.text()).startsWith("HTTP/1.1 504 "));
    const { outcome, side } = await program.record();
    equal([outcome, side], ["timeout", "upstream"]);
  },
});
