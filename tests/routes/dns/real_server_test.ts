/** Against a server that others wrote: unbound, as Debian has it. */
import { freePort } from "../../../scripts/free_ports.ts";
import { Dns } from "../../../routes/dns/resolver.ts";
import { equal, fails, ok } from "../../support/assert.ts";

const UNBOUND = ["/usr/sbin/unbound", "/usr/local/sbin/unbound"].find(isThere);
if (UNBOUND === undefined) {
  console.error("SKIPPED: Debian's `unbound` is not installed (apt-get install unbound)");
}

const NEVER = new AbortController().signal;
const MANY = Array.from({ length: 100 }, (_, i) => `many.test. 60 IN A 10.0.1.${i}`);
const RECORDS = [
  "test. 60 IN SOA ns.test. who.test. 1 2 3 4 30",
  "a.test. 90 IN A 10.0.0.1",
  "a.test. 30 IN AAAA fd00::1",
  "text.test. 60 IN TXT hello",
  "_x._tcp.test. 60 IN SRV 0 7 8443 a.test.",
  ...MANY,
];

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function configuration(port: number): string {
  return `server:
  interface: 127.0.0.1@${port}
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  verbosity: 1
  module-config: "iterator"
  local-zone: "test." static
  local-zone: "refused.example." refuse
${RECORDS.map((record) => `  local-data: '${record}'`).join("\n")}
remote-control:
  control-enable: no
`;
}

/** Runs unbound for these records until disposed. */
async function startUnbound(program: string) {
  const port = freePort();
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/unbound.conf`, configuration(port));
  const args = ["-d", "-p", "-c", `${dir}/unbound.conf`];
  const child = new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).spawn();
  const log = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("start of service")) {
    const { value, done } = await log.read();
    if (done) throw new Error(`unbound did not start: ${said}`);
    said += value;
  }
  return {
    server: { host: "127.0.0.1", port },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      while (!(await log.read()).done);
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

Deno.test({
  name: "unbound is asked and understood: families, TTLs, services, TCP, every kind of no",
  ignore: UNBOUND === undefined,
  async fn() {
    await using unbound = await startUnbound(UNBOUND ?? "");
    using dns = new Dns({
      servers: [unbound.server],
      search: [],
      resolvConf: "/dev/null",
      hostsFile: "/dev/null",
    });
    const find = (host: string) => dns.resolve({ host, port: 443 }, NEVER);
    const a = await find("a.test");
    equal(a?.endpoints.map(({ address }) => address), [{ host: "fd00::1", port: 443 }, {
      host: "10.0.0.1",
      port: 443,
    }]);
    ok(a && a.lifetime <= 30_000 && a.lifetime > 25_000, `${a?.lifetime}`);
    equal(
      (await find("_x._tcp.test"))?.endpoints.map((
        { address, weight },
      ) => [address.host, address.port, weight]),
      [
        ["fd00::1", 8443, 3.5],
        ["10.0.0.1", 8443, 3.5],
      ],
    );
    equal((await find("many.test"))?.endpoints.length, 32);
    equal(await find("none.test"), undefined);
    equal(await find("text.test"), undefined);
    await fails(find("x.refused.example"), "unreachable");
  },
});
