/** The commands against the real gate. */
import { equal, ok } from "../../support/assert.ts";
import { Program, ugate } from "../../support/program.ts";

const yaml = (listener: string, admin: string) =>
  `listeners: { ${listener}: { address: "127.0.0.1:0", protocols: [socks] } }\nadmin: { address: "${admin}" }\n`;

/** A gate whose admin page is a unix socket in its folder; `ask` runs a command there, beside its configuration. */
async function started() {
  const socket = await Deno.makeTempFile({ prefix: "ugate-admin-", suffix: ".sock" });
  await Deno.remove(socket);
  const admin = `unix:${socket}`;
  const program = await Program.start(yaml("edge", admin));
  const file = `${program.folder.path}/ugate.yaml`;
  const ask = (...args: string[]) => ugate([...args, "-c", file], { cwd: program.folder.path });
  return { program, admin, file, ask };
}

Deno.test("status, connections and top show the running gate, found by its configuration", async () => {
  const { program, ask } = await started();
  await using _ = program;
  using client = await Deno.connect({ port: program.port("edge") });
  await client.write(Uint8Array.of(5, 1, 0));
  await client.read(new Uint8Array(2));
  const status = await ask("status");
  equal([status.code, status.stderr], [0, ""]);
  ok(/^ugate .*, 1 connection$/m.test(status.stdout), status.stdout);
  ok(/^edge +127\.0\.0\.1:\d+ +socks +1 +0 /m.test(status.stdout), status.stdout);
  const { connections } = JSON.parse((await ask("connections", "--json")).stdout);
  equal(connections.map(({ listener, protocol }: Record<string, string>) => [listener, protocol]), [[
    "edge",
    "socks",
  ]]);
  const { listeners } = JSON.parse((await ask("top", "--json")).stdout);
  equal(listeners[0].active, 1);
});

Deno.test("reload tells what the gate finds, as check would", async () => {
  const { program, ask, file, admin } = await started();
  await using _ = program;
  const same = await ask("reload");
  equal([same.code, same.stdout], [0, "unchanged: what is on disk holds already\n"]);
  await Deno.writeTextFile(file, `${yaml("edge", admin)}lisener: {}\n`);
  const { code, stdout, stderr } = await ask("reload");
  equal([code, stdout], [1, ""]);
  const [problem] = (await ugate(["check", "-c", file])).stderr.split("\n");
  equal(stderr.split("\n")[0], problem);
});

Deno.test("what is tried holds at once, and is on disk when it was confirmed", async () => {
  const { program, ask, file, admin } = await started();
  await using _ = program;
  const before = await Deno.readTextFile(file);
  const broken = await program.folder.write("broken.txt", "lisener: {}\n");
  const refused = await ask("reload", "--confirm", "60s", broken);
  ok(refused.code === 1 && refused.stderr.startsWith(`${broken}:1:1 lisener: unknown key`), refused.stderr);
  const next = await program.folder.write("next.txt", yaml("other", admin));
  const tried = await ask("reload", "--confirm", "60s", next);
  ok(tried.code === 0 && tried.stdout.startsWith("applied for 1m00s\n"), tried.stdout + tried.stderr);
  ok(/^trial: /m.test((await ask("status")).stdout));
  equal(await Deno.readTextFile(file), before);
  equal((await ask("confirm")).code, 0);
  equal(await Deno.readTextFile(file), await Deno.readTextFile(next));
  const { configuration, listeners } = JSON.parse((await ask("status", "--json")).stdout);
  equal([configuration.trial, listeners[0].listener], [undefined, "other"]);
  equal((await ask("confirm")).code, 1);
});
