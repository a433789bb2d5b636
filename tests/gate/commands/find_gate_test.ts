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

for (
  const [what, yaml, says] of [
    [
      "is no YAML",
      "admin: { address: ",
      /^warning: \S+edge\.yaml:1:\d+: .*; asking the gate at 127\.0\.0\.1:15000$/m,
    ],
    [
      "has a broken address",
      "admin: { address: nowhere }",
      /^warning: \S+edge\.yaml:1:19: .*asking the gate at/m,
    ],
    [
      "has no admin page",
      "admin: { address: off }",
      /^Cannot find the gate: admin\.address of the configuration is off; --admin/,
    ],
    [
      "lets the kernel choose",
      'admin: { address: "127.0.0.1:0" }',
      /^Cannot find the gate: .* no fixed port/,
    ],
  ] as const
) {
  Deno.test(`a configuration that ${what} is told`, async () => {
    await using folder = await Folder.make();
    const file = await folder.write("edge.yaml", yaml);
    const { stderr } = await ugate(["status", "-c", file]); // it changes nothing, whoever is at the default
    ok(says.test(stderr), stderr);
  });
}
