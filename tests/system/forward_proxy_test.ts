/** curl and apt, as they use a proxy for http:// and https:// URLs. */
import { need } from "../../scripts/clients.ts";
import { equal } from "../support/assert.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { startGate } from "../support/gate.ts";
import { echoRequests, rawUpstream } from "../support/http_peers.ts";

const WORLD = (a: number, b: number) => `
listeners:
  free: { address: "127.0.0.1:0", protocols: [socks, connect, http, tls] }
  guarded: { address: "0.0.0.0:0", protocols: [connect, http], users: { alice: "wonder land" } }
hosts:
  a.test: { addresses: ["127.0.0.1:${a}"] }
  b.test: { addresses: ["127.0.0.1:${b}"] }
policy: [{ allow: { listener: guarded, user: alice, hosts: a.test } }]
admin: { address: "off" }
`;

Deno.test({
  name: "curl gets http:// URLs through the proxy, over one connection, as users and not",
  ignore: !need("curl"),
  async fn() {
    await using a = await rawUpstream(echoRequests);
    await using b = await rawUpstream(echoRequests);
    await using gate = await startGate(WORLD(a.port, b.port));
    const curl = async (listener: string, ...args: string[]) => {
      const proxy = ["-x", `http://127.0.0.1:${gate.port(listener)}`, "--noproxy", ""];
      return (await succeed("curl", ["-sS", "--max-time", "20", ...proxy, ...args])).stdout;
    };
    const code = ["-o", "/dev/null", "-w", "%{http_code}"];
    equal(await curl("free", "http://a.test/1", "http://b.test/2", "http://a.test/3"), "/1 /2 /3 ");
    await gate.record();
    equal(await curl("free", "-d", "x=1", "http://a.test/post"), "/post x=1");
    equal(await curl("free", "-p", "http://a.test/tunnelled"), "/tunnelled ");
    equal(await curl("guarded", ...code, "http://a.test/"), "407");
    equal(await curl("guarded", ...code, "-U", "alice:wrong", "http://a.test/"), "407");
    equal(await curl("guarded", "-U", "alice:wonder land", "http://a.test/in"), "/in ");
    equal(await curl("guarded", "-U", "alice:wonder land", "--proxy-anyauth", "http://a.test/any"), "/any ");
    equal(await curl("guarded", "-U", "alice:wonder land", ...code, "http://b.test/"), "403");
    const lines = gate.requests.map(({ id, host, status }) => `${id} ${host} ${status}`);
    equal(new Set(lines.slice(0, 3).map((line) => line.split(" ")[0])).size, 1);
  },
});

const APT = "/usr/lib/apt/apt-helper";
const hasApt = await Deno.stat(APT).then(() => true, () => false);

Deno.test({
  name: "apt downloads through the proxy",
  ignore: !hasApt,
  async fn() {
    await using a = await rawUpstream(echoRequests);
    await using gate = await startGate(WORLD(a.port, a.port));
    await using folder = await Folder.make();
    const proxy = `Acquire::http::Proxy=http://127.0.0.1:${gate.port("free")}/`;
    const options = ["-o", proxy, "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=0"];
    const files = [1, 2, 3].flatMap((n) => [`http://a.test/file-${n}`, `${folder.path}/${n}`, ""]);
    const { code, stderr } = await run(APT, [...options, "download-file", ...files]);
    equal(code, 0, stderr);
    for (const n of [1, 2, 3]) equal(await Deno.readTextFile(`${folder.path}/${n}`), `/file-${n} `);
    await gate.record();
    equal(gate.requests.map(({ path, status }) => `${path} ${status}`).sort(), [
      "/file-1 200",
      "/file-2 200",
      "/file-3 200",
    ]);
  },
});
