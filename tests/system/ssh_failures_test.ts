/** docs/ssh.md tells what to do when it does not work: what OpenSSH says then, and the gate's log, is as it stands there. */
import { jsonSchema } from "../../gate/config/json_schema.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { protocols } from "../../protocols/mod.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { run } from "../support/child.ts";
import { makeKey, SshGate } from "../support/ssh_gate.ts";

openssl(); // it stays open: not in a test
const TEXT = Deno.readTextFileSync(new URL("../../docs/ssh.md", import.meta.url));
const PI = "pi.mesh.example.com", DB = "db.internal:5432";

/** The cells of each line of the table in that section, but for its head. */
function tableOf(title: string): string[][] {
  const section = TEXT.split(/^## /m).find((one) => one.startsWith(`${title}\n`))!;
  const lines = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

/** What a cell has between its first backticks; `…` is anything. */
function patternOf(cell: string): RegExp | undefined {
  const words = /`([^`]+)`/.exec(cell)?.[1];
  return words && new RegExp(words.split("…").map(RegExp.escape).join(".*")) || undefined;
}

async function world() {
  const [pi, rival, guest, late, stranger] = await Promise.all([1, 2, 3, 4, 5].map(() => makeKey()));
  const gate = await SshGate.start({
    address: ":0",
    lines: [
      `permitlisten="${PI}:80" ${pi.line}`,
      `permitlisten="${PI}:80",permitopen="a.internal:80" ${rival.line}`,
      `environment="UGATE_ROLE=guest" ${guest.line}`,
      `expiry-time="20200101" ${late.line}`,
    ],
    policy: ['{ allow: { protocol: ssh, hosts: "*.mesh.example.com" } }'],
  });
  const forward = (
    name: string,
  ) => ["-v", "-o", "ExitOnForwardFailure=yes", "-N", "-R", `${name}:localhost:1`];
  /** By the first cell: with which key, and what is asked for. */
  const asked: Readonly<Record<string, readonly [typeof pi, readonly string[]]>> = {
    key: [stranger, ["-N"]],
    line: [late, ["-N"]],
    name: [pi, forward("nas.mesh.example.com:80")],
    taken: [rival, forward(`${PI}:80`)],
    guest: [guest, forward("80")],
    port: [pi, forward("8080")],
    permitopen: [rival, ["-W", DB]],
    policy: [pi, ["-W", DB]],
    away: [pi, ["-W", `${PI}:443`]],
    closed: [pi, ["-W", `${PI}:80`]],
    files: [pi, ["-s"]],
    host: [pi, ["-o", "StrictHostKeyChecking=yes"]],
  };
  return { gate, pi, asked };
}

Deno.test({
  name: "docs/ssh.md: what ssh and the log say when it does not work",
  ignore: !need("ssh"),
  async fn() {
    const { gate: made, pi, asked } = await world();
    await using gate = made;
    await using _there = await gate.stay(pi, ["-R", `${PI}:80:127.0.0.1:1`], /remote forward success/);
    const table = tableOf("When it does not work");
    equal(table.map(([what]) => what), Object.keys(asked));
    for (const [what, says, logged] of table) {
      const [key, options] = asked[what];
      const args = gate.args(key, options[0] === "-s" ? [] : options),
        more = options[0] === "-s" ? ["-s", "sftp"] : [];
      // The first value of an option is the one that holds.
      const first = what === "host" ? ["-o", "StrictHostKeyChecking=yes"] : [];
      const { stderr } = await run("ssh", [...first, ...args, ...more]);
      ok(patternOf(says)!.test(stderr), `${what}: expected ${says} of\n${stderr}`);
      const pattern = patternOf(logged);
      const told = () =>
        [...gate.gate.messages, ...gate.gate.records.map(({ cause = "" }) => cause)].join("\n");
      for (let i = 0; pattern && i < 100 && !pattern.test(told()); i++) {
        await new Promise((later) => setTimeout(later, 50));
      }
      ok(!pattern || pattern.test(told()), `${what}: expected ${logged} of\n${told()}`);
    }
  },
});

Deno.test({
  name: "docs/ssh.md: whose name another connection takes over is told",
  ignore: !need("ssh"),
  async fn() {
    const { gate: made, pi } = await world();
    await using gate = made;
    const offer = ["-R", `${PI}:80:127.0.0.1:1`], says = /`(Remote: [^`]* is not forwarded any more: [^`]*)`/;
    const [, told] = says.exec(TEXT.replace(/\s+/g, " "))!;
    await using before = await gate.stay(pi, offer, /remote forward success/);
    await using _next = await gate.stay(pi, offer, /remote forward success/);
    await before.line(new RegExp(RegExp.escape(told)));
  },
});

Deno.test("docs/ssh.md has every key about identity and SSH", () => {
  const { properties } = jsonSchema(protocols) as { properties: Record<string, { properties: object }> };
  const told = tableOf("Keys").map(([keys]) => keys).join(" ");
  const keys = ["node", "ssh"].flatMap((section) =>
    Object.keys(properties[section].properties).map((key) => [section, key])
  );
  const others = ["node.state", "node.trustDomain", "node.namespace"];
  const missing = keys.filter(([section, key]) =>
    !others.includes(`${section}.${key}`) && !told.includes(`${section}.${key}`) &&
    !told.includes(`\`.${key}\``)
  );
  equal(missing, []);
});
