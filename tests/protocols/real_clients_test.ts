import { need } from "../../scripts/clients.ts";
import { type Failure, GateError } from "../../gate/errors.ts";
import { protocols } from "../../protocols/mod.ts";
import { equal, ok } from "../support/assert.ts";
import { type Client, echoUpstream, meet, webUpstream } from "../support/real_client.ts";

const { socks, connect, http, tls } = protocols;
const URL_ = "http://Web.Example:8080/x";
const WEB = { host: "web.example", port: 8080 };
const has = { curl: need("curl"), nc: need("nc"), openssl: need("openssl") };
const curl = (args: (proxy: string) => string[]): Client => ({
  program: "curl",
  args: (port) => ["-sS", "--max-time", "20", ...args(`127.0.0.1:${port}`)],
});

const proxied: [
  name: string,
  client: Client,
  protocol: typeof socks,
  target: { host: string; port: number },
][] = [
  ["--socks5-hostname", curl((proxy) => ["--socks5-hostname", proxy, URL_]), socks, WEB],
  ["--socks5", curl((proxy) => ["--socks5", proxy, "http://127.0.0.1:9/"]), socks, {
    host: "127.0.0.1",
    port: 9,
  }],
  ["--socks5 to IPv6", curl((proxy) => ["--socks5", proxy, "http://[::1]:9/"]), socks, {
    host: "::1",
    port: 9,
  }],
  ["--socks4", curl((proxy) => ["--socks4", proxy, "http://127.0.0.1:9/"]), socks, {
    host: "127.0.0.1",
    port: 9,
  }],
  ["--socks4a", curl((proxy) => ["--socks4a", proxy, URL_]), socks, WEB],
  ["--proxytunnel", curl((proxy) => ["-px", `http://${proxy}`, URL_]), connect, WEB],
];
for (const [name, client, protocol, target] of proxied) {
  Deno.test({
    name: `curl ${name} reaches the target it names`,
    ignore: !has.curl,
    fn: async () => {
      const { gate, stdout, stderr } = await meet(protocol, client, { upstream: webUpstream });
      equal([stdout, stderr], ["hi\n", ""]);
      equal(gate.asked, [target]);
    },
  });
}

Deno.test({
  name: "curl logs in with a password, and is told when it is wrong",
  ignore: !has.curl,
  fn: async () => {
    const login = (user: string, password: string) => user === "alice" && password === "secret";
    const tries: [protocol: typeof socks, args: (proxy: string) => string[]][] = [
      [socks, (proxy) => ["--socks5-hostname", proxy]],
      [connect, (proxy) => ["-px", `http://${proxy}`]],
    ];
    for (const [protocol, args] of tries) {
      for (const password of ["secret", "wrong"]) {
        const client = curl((proxy) => [...args(proxy), "-U", `alice:${password}`, URL_]);
        const { gate, stdout, failure } = await meet(
          protocol,
          client,
          { upstream: webUpstream, login },
          true,
        );
        equal(gate.logins, [["alice", password]]);
        if (password === "secret") equal(stdout, "hi\n");
        else equal([stdout, failure?.failure], ["", "unauthenticated"]);
      }
      const client = curl((proxy) => [...args(proxy), URL_]);
      const { failure } = await meet(protocol, client, { upstream: webUpstream, login }, true);
      equal(failure?.failure, "unauthenticated");
    }
  },
});

Deno.test({
  name: "curl says what the proxy said",
  ignore: !has.curl,
  fn: async () => {
    const told: [failure: Failure, socks: RegExp, connect: RegExp][] = [
      ["denied", /\(2\)/, /403/],
      ["no-route", /\(4\)/, /502/],
      ["refused", /\(5\)/, /502/],
      ["timeout", /\(6\)/, /504/],
    ];
    for (const [failure, inSocks, inConnect] of told) {
      const upstream = () => new GateError(failure, "upstream", "Cannot connect: as the test wants it");
      const five = await meet(socks, curl((proxy) => ["--socks5-hostname", proxy, URL_]), { upstream });
      ok(inSocks.test(five.stderr), five.stderr);
      const tunnel = await meet(connect, curl((proxy) => ["-px", `http://${proxy}`, URL_]), { upstream });
      ok(inConnect.test(tunnel.stderr), tunnel.stderr);
    }
  },
});

Deno.test({
  name: "curl reads the sentence of a refused request",
  ignore: !has.curl,
  fn: async () => {
    const plain = curl((gate) => [`http://${gate}/`]);
    equal(
      (await meet(http, plain, {})).stdout,
      "no-route: Nothing is served here under this name and path.\n",
    );
    const proxying = curl((proxy) => ["-x", `http://${proxy}`, URL_]);
    ok((await meet(connect, proxying, {})).stdout.startsWith("unsupported: Only CONNECT is served here"));
  },
});

for (const [version, protocol] of [["5", socks], ["4", socks], ["connect", connect]] as const) {
  Deno.test({
    name: `nc -X ${version}, as ssh uses it for ProxyCommand, carries bytes both ways`,
    ignore: !has.nc,
    fn: async () => {
      const args = (port: string) => ["-N", "-X", version, "-x", `127.0.0.1:${port}`, "127.0.0.1", "22"];
      const client = { program: "nc", args, stdin: "SSH-2.0-x\r\n" };
      const { gate, stdout } = await meet(protocol, client, { upstream: echoUpstream });
      equal(stdout, "SSH-2.0-x\r\n");
      equal(gate.asked, [{ host: "127.0.0.1", port: 22 }]);
    },
  });
}

Deno.test({
  name: "openssl understands the alert for a name that has no route",
  ignore: !has.openssl,
  fn: async () => {
    const args = (port: string) => ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "a.example"];
    const { stderr } = await meet(tls, { program: "openssl", args }, {});
    ok(/unrecognized name/.test(stderr), stderr);
  },
});
