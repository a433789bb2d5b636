import { z } from "zod";
import { parseHash } from "../../../gate/password_hash.ts";
import { verifyHash } from "../../../gate/passwords.ts";
import { equal, ok } from "../../support/assert.ts";

/** Runs the exported function of a command in a process of its own: what it prints, and how it exits. */
async function command(
  code: string,
  options: { input?: string; env?: Record<string, string>; cwd?: string } = {},
) {
  const at = new URL("../../../gate/commands/", import.meta.url).href;
  const toy = new URL("../config/toy_protocols.ts", import.meta.url).href;
  const script = `const at = ${JSON.stringify(at)}, toy = ${
    JSON.stringify(toy)
  }; Deno.exit(await (${code})());`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", `--config=${new URL("../../../deno.json", import.meta.url).pathname}`, script],
    env: { NO_COLOR: "1", UGATE_CONFIG: "", ...options.env },
    cwd: options.cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(options.input ?? ""));
  await writer.close();
  const { code: exit, stdout, stderr } = await child.output();
  return { exit, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

const CHECK =
  `async () => (await import(at + "check.ts")).check(undefined, (await import(toy)).toyProtocols)`;

Deno.test("check prints what a right configuration does, and exits 0", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(
      file,
      `listeners: { edge: { address: [":443", "unix:@edge"], protocols: [tls, ssh] } }
routes: [{ protocol: ssh, to: "127.0.0.1:22" }]
policy: [{ allow: { protocol: tls, hosts: "*.example.com" } }]
`,
    );
    const { exit, out, err } = await command(CHECK, { env: { UGATE_CONFIG: file } });
    equal([exit, err], [0, ""]);
    equal(out.split("\n"), [
      `ok: ${file}`,
      "listener edge: :443, unix:@edge (tls, ssh)",
      "admin.address: 127.0.0.1:15000",
      "routes: 1, hosts: 0, policy rules: 1",
      "",
    ]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("check says of a proxy on loopback that policy closes nothing it does not deny", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(
      file,
      `listeners:
  local: { address: "127.0.0.1:1080", protocols: [socks] }
  edge: { address: ":443", protocols: [tls] }
policy: [{ allow: { protocol: socks, hosts: a.example } }, { allow: { protocol: tls } }]
`,
    );
    const { out } = await command(CHECK, { env: { UGATE_CONFIG: file } });
    equal(out.split("\n").slice(1, 4), [
      "listener local: 127.0.0.1:1080 (socks)",
      "  it is for this machine only: clients get wherever no rule of policy denies it (a last { deny: {} } does)",
      "listener edge: :443 (tls)",
    ]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("check prints every mistake to stderr, and exits 1", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(
      file,
      `listeners: { edge: { address: ":443", protocols: [tsl] } }\nlog: { level: loud }\n`,
    );
    const { exit, out, err } = await command(CHECK, { env: { UGATE_CONFIG: file } });
    equal([exit, out], [1, ""]);
    equal(err.trim().split("\n").map((line) => line.slice(file.length, line.indexOf(": "))), [
      ":1:51 listeners.edge.protocols[0]",
      ":2:15 log.level",
    ]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("check takes ./ugate.yaml, and the built-in configuration where there is none", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const without = await command(CHECK, { cwd });
    equal(without.exit, 0);
    ok(
      without.out.startsWith("ok: the built-in configuration\nlistener local: 127.0.0.1:15080 ("),
      without.out,
    );
    await Deno.writeTextFile(`${cwd}/ugate.yaml`, "");
    equal((await command(CHECK, { cwd })).err, "ugate.yaml: the file is empty\n");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("schema prints a JSON Schema", async () => {
  const { exit, out } = await command(`async () => (await import(at + "schema.ts")).schema()`);
  equal(exit, 0);
  const schema = z.fromJSONSchema(JSON.parse(out));
  equal(schema.safeParse({ log: { level: "info" } }).success, true);
  equal(schema.safeParse({ lgo: {} }).success, false);
});

const HASH = `async () => (await import(at + "hash.ts")).hash()`;

Deno.test("hash reads one line and prints what configuration takes", async () => {
  const { exit, out, err } = await command(HASH, { input: "correct hörse\n" });
  equal([exit, err], [0, ""]);
  const hash = parseHash(out.trim());
  ok(hash);
  equal(await verifyHash("correct hörse", hash), true);
});

Deno.test("hash refuses what no client could send", async () => {
  for (const input of ["", "\n", "two\nlines\n", "x".repeat(256), "x".repeat(5000), "scrypt:1:2:3:a:b"]) {
    const { exit, out, err } = await command(HASH, { input });
    equal([exit, out], [1, ""], JSON.stringify(input.slice(0, 20)));
    ok(/^ugate: Cannot hash the password: /.test(err), err);
  }
});
