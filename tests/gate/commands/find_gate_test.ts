import { readAdmin } from "../../../gate/commands/admin_option.ts";
import { Mistake } from "../../../gate/config/scalars.ts";
import { AdminApi } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";
import { ugate } from "../../support/program.ts";

Deno.test("--admin takes what a configuration takes, names, and http:// in front", () => {
  const right: [string, string, number][] = [
    ["127.0.0.1:15000", "127.0.0.1", 15000],
    ["http://127.0.0.1:15000/", "127.0.0.1", 15000],
    ["[::1]:15000", "::1", 15000],
    ["localhost:15000", "localhost", 15000],
    [":15000", "127.0.0.1", 15000],
    ["0.0.0.0:15000", "127.0.0.1", 15000],
    ["[::]:15000", "::1", 15000],
    ["unix:/run/ugate/admin.sock", "unix:/run/ugate/admin.sock", 0],
  ];
  for (const [text, host, port] of right) equal(readAdmin(text), { host, port }, text);
  for (const text of ["", "15000", "127.0.0.1:0", "https://a:1", "unix:@admin", "127.0.0.1:70000", "a b:1"]) {
    ok(readAdmin(text) instanceof Mistake, text);
  }
});

Deno.test("the gate is --admin, $UGATE_ADMIN, the configuration's, in this order", async () => {
  await using folder = await Folder.make();
  await using api = new AdminApi(`${folder.path}/admin.sock`);
  const { address } = api;
  const file = await folder.write("edge.yaml", `admin: { address: "${address}" }`);
  const nowhere = "127.0.0.1:9";
  const asked = async (args: string[], UGATE_ADMIN = "") =>
    (await ugate(["status", ...args], { env: { UGATE_ADMIN }, cwd: folder.path })).code;
  equal(await asked(["--admin", address], nowhere), 0);
  equal(await asked([], address), 0);
  equal(await asked(["-c", file], nowhere), 1);
  equal(await asked(["-c", file]), 0);
  equal(await asked([], "nonsense"), 2);
});

Deno.test("a configuration that is broken elsewhere still says where the gate is", async () => {
  await using folder = await Folder.make();
  await using api = new AdminApi(`${folder.path}/admin.sock`);
  const yaml =
    `listeners: { edge: { address: ":70000", protocols: [tsl] } }\nadmin: { address: "${api.address}" }\n`;
  const { code, stderr } = await ugate(["reload", "-c", await folder.write("edge.yaml", yaml)]);
  equal([code, stderr], [0, ""]);
});

const BROKEN = [
  ["is not there", undefined, /Cannot read: there is no such file/],
  ["is empty", "", /the file is empty/],
  ["is no YAML", "admin: { address: ", /:1:\d+: /],
  ["has a broken address", "admin: { address: nowhere }", /:1:19: expected an address/],
  ["has no admin page", "admin: { address: off }", /admin\.address of the configuration is off/],
  ["lets the kernel choose", 'admin: { address: "127.0.0.1:0" }', / no fixed port/],
] as const;

for (const [what, yaml, says] of BROKEN) {
  Deno.test(`no gate is asked where the configuration that was named ${what}`, async () => {
    await using folder = await Folder.make();
    const file = `${folder.path}/edge.yaml`;
    if (yaml !== undefined) await folder.write("edge.yaml", yaml);
    for (const command of ["status", "reload", "confirm"]) {
      const { code, stdout, stderr } = await ugate([command, "-c", file]);
      equal([code, stdout], [1, ""], stderr);
      ok(says.test(stderr), stderr);
      ok(/^(ugate: )?Cannot find the gate: .*; --admin says where it is$/m.test(stderr), stderr);
    }
    const named = await ugate(["status"], { env: { UGATE_CONFIG: file } });
    equal([named.code, says.test(named.stderr)], [1, true], named.stderr);
  });
}

Deno.test("a broken configuration that nobody named is told, and the gate at the default is asked", async () => {
  await using folder = await Folder.make();
  await folder.write("ugate.yaml", "admin: { address: nowhere }");
  const { stderr } = await ugate(["status"], { cwd: folder.path, env: { UGATE_CONFIG: "" } });
  const told = /^warning: ugate\.yaml:1:19: .*; asking the gate at 127\.0\.0\.1:15000$/m;
  ok(told.test(stderr), stderr); // who is at the default, if anybody, is not known
});
