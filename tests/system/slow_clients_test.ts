/** slowhttptest against the running program: who is slow on purpose is cut in time and counted; others are served. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { fallen, meanwhile, statusOf } from "../support/attack.ts";
import { Authority } from "../support/certificates.ts";
import { Folder, run } from "../support/child.ts";
import { pattern } from "../support/pattern.ts";
import { Program } from "../support/program.ts";
import { startNode } from "../support/web_servers.ts";

const site = await (await Authority.make("slow")).issue(["localhost"]);
const SLOW = 40;

interface Attack {
  readonly what: string;
  readonly how: readonly string[];
  readonly at: string;
  /** Seconds after which it gives up; each but the last sees its connections cut, and ends long before. */
  readonly seconds: number;
}

const ATTACKS: readonly Attack[] = [
  { what: "a line of a head each second", how: ["-H", "-x", "8"], at: "/files/some", seconds: 30 },
  { what: "a few octets of content each second", how: ["-B", "-s", "4096"], at: "/digest", seconds: 30 },
  { what: "the same behind an early answer", how: ["-B", "-s", "4096"], at: "/echo", seconds: 30 },
  { what: "reads of 8 octets each second", how: ["-X", "-n", "1", "-z", "8"], at: "/files/big", seconds: 8 },
];

const BOTH = ["http", "https"].flatMap((scheme) => ATTACKS.map((attack) => ({ scheme, ...attack })));

/** What slowhttptest says at its end. A probe of its own tells whether others are served. */
async function attacked(url: string, { how, seconds }: Omit<Attack, "what" | "at">): Promise<string> {
  const args = [
    "-c",
    `${SLOW}`,
    "-r",
    `${SLOW}`,
    "-i",
    "1",
    "-l",
    `${seconds}`,
    "-p",
    "5",
    "-u",
    url,
    ...how,
  ];
  const { stdout } = await run("slowhttptest", args);
  ok(/service available:\S*\s+\S*YES/.test(stdout), stdout.slice(-2000));
  return stdout;
}

async function fetched(url: string, size: number): Promise<void> {
  const answer = await fetch(url, { headers: { connection: "close" } });
  equal([answer.status, (await answer.bytes()).length], [200, size]);
}

Deno.test({
  name: "slow heads, content and readers are cut and counted, in clear and over TLS; a good client is served",
  ignore: !need("slowhttptest", "node", "openssl"),
  async fn() {
    await using node = await startNode();
    await using folder = await Folder.make();
    await folder.write("some", pattern(5));
    await folder.write("big", pattern(8_000_000));
    await using program = await Program.start(`
listeners: { web: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
  - { path: /files, files: "${folder.path}" }
  - { to: "http://127.0.0.1:${node.port}" }
limits: { headTimeout: 2s, bodyTimeout: 2s }
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
admin: { address: "127.0.0.1:0" }
`);
    const port = program.port("web"), url = `http://127.0.0.1:${port}`;
    const attacks = Promise.all(
      BOTH.map(({ scheme, ...attack }) => attacked(`${scheme}://localhost:${port}${attack.at}`, attack)),
    );
    ok(await meanwhile(attacks, () => fetched(`${url}/files/some`, 5)) > 0);
    for (const [i, said] of (await attacks).entries()) {
      const { what, scheme, seconds } = BOTH[i];
      if (seconds === 30) {
        ok(said.includes("No open connections left"), `${scheme}, ${what}:\n${said.slice(-2000)}`);
      }
    }
    equal(await fallen(async () => (await statusOf(program)).connections, 0), 0);
    const metrics = await (await program.admin("/metrics")).text();
    for (const [limit, hits] of [["headTimeout", 2 * SLOW], ["bodyTimeout", 6 * SLOW]]) {
      ok(metrics.includes(`\nugate_limit_hits_total{limit="${limit}"} ${hits}\n`), metrics);
    }
    const late = program.requests.filter(({ outcome }) => outcome === "timeout");
    const count = (at: string) => late.filter(({ path }) => path === at).length;
    equal(["/digest", "/echo", "/files/big"].map(count), [2 * SLOW, 2 * SLOW, 2 * SLOW]);
  },
});

Deno.test({
  name: "a thousand overlapping ranges are one whole file, and others are served beside them",
  ignore: !need("slowhttptest"),
  async fn() {
    await using folder = await Folder.make();
    await folder.write("some", pattern(20_000));
    await using program = await Program.start(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ files: "${folder.path}" }]
admin: { address: "127.0.0.1:0" }
`);
    const url = `http://127.0.0.1:${program.port("web")}/some`;
    const attack = attacked(url, { how: ["-R", "-a", "1", "-b", "1000", "-t", "GET"], seconds: 5 });
    const served = await meanwhile(attack, () => fetched(url, 20_000));
    ok((await attack).includes("No open connections left"));
    const [{ statuses, down }] = (await statusOf(program)).requests;
    const answered = statuses["2xx"];
    ok(answered >= SLOW + served && down <= answered * 20_000, `${answered} of ${down} octets`);
  },
});
