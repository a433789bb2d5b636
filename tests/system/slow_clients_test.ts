/** slowhttptest against the running program: who is slow on purpose is cut in time and counted; others are served. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { fallen, meanwhile, statusOf } from "../support/attack.ts";
import { Folder, run } from "../support/child.ts";
import { pattern } from "../support/pattern.ts";
import { Program } from "../support/program.ts";
import { startNode } from "../support/web_servers.ts";

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
  { what: "reads of 8 octets each second", how: ["-X", "-n", "1", "-z", "8"], at: "/files/big", seconds: 9 },
];

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
  name: "slow heads, slow content and slow readers are cut and counted, while a good client is served",
  ignore: !need("slowhttptest", "node"),
  async fn() {
    await using node = await startNode();
    await using folder = await Folder.make();
    await folder.write("some", pattern(5));
    await folder.write("big", pattern(8_000_000));
    await using program = await Program.start(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /files, files: "${folder.path}" }
  - { to: "http://127.0.0.1:${node.port}" }
limits: { headTimeout: 2s, bodyTimeout: 2s }
admin: { address: "127.0.0.1:0" }
`);
    const url = `http://127.0.0.1:${program.port("web")}`;
    const attacks = Promise.all(ATTACKS.map((attack) => attacked(url + attack.at, attack)));
    ok(await meanwhile(attacks, () => fetched(`${url}/files/some`, 5)) > 0);
    for (const [i, said] of (await attacks).entries()) {
      const { what, seconds } = ATTACKS[i];
      if (seconds === 30) {
        ok(said.includes("No open connections left"), `${what}:\n${said.slice(-2000)}`);
      }
    }
    equal(await fallen(async () => (await statusOf(program)).connections, 0), 0);
    // slowhttptest may fail to open some of its connections where the machine is busy.
    const late = program.requests.filter(({ outcome }) => outcome === "timeout");
    for (const { at } of ATTACKS.slice(1)) {
      const cut = late.filter(({ path }) => path === at).length;
      ok(cut >= SLOW / 2 && cut <= SLOW, `${cut} of ${at}`);
    }
    const heads = program.records.filter(({ cause }) => /head takes too long/.test(cause ?? "")).length;
    ok(heads >= SLOW / 2 && heads <= SLOW, `${heads} heads`);
    const metrics = await (await program.admin("/metrics")).text();
    const hits = metrics.matchAll(/^ugate_limit_hits_total\{limit="(\w+)"\} ([1-9]\d*)$/gm);
    equal(Object.fromEntries(Array.from(hits, ([, limit, count]) => [limit, Number(count)])), {
      headTimeout: heads,
      bodyTimeout: late.length,
    });
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
