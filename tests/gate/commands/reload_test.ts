import { AdminApi } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";
import { ugate } from "../../support/program.ts";

const APPLIED = {
  result: "applied",
  changes: ["listener edge: on :8443 instead of :443", "routes: 3 instead of 2"],
  warnings: ["ugate.yaml:3:1 engine.threads: needs a restart"],
  problems: [],
} as const;
const REFUSED = {
  result: "refused",
  changes: [],
  warnings: [],
  problems: [
    "ugate.yaml:3:20 listeners.edge.address: expected a port\x1b[2J",
    "ugate.yaml:4:1 lisener: unknown key",
  ],
} as const;

Deno.test("reload tells what changed, and warnings on stderr", async () => {
  await using api = new AdminApi();
  api.state.outcome = APPLIED;
  const { code, stdout, stderr } = await ugate(["reload", "--admin", api.address]);
  equal([code, stdout, stderr], [
    0,
    "applied\n  listener edge: on :8443 instead of :443\n  routes: 3 instead of 2\n",
    "warning: ugate.yaml:3:1 engine.threads: needs a restart\n",
  ]);
});

Deno.test("reload that changes nothing says so, and exits 0", async () => {
  await using api = new AdminApi();
  const { code, stdout } = await ugate(["reload", "--admin", api.address]);
  equal([code, stdout], [0, "unchanged: what is on disk holds already\n"]);
});

Deno.test("reload that is refused tells every mistake on stderr, and exits 1", async () => {
  await using api = new AdminApi();
  api.state.outcome = REFUSED;
  const { code, stdout, stderr } = await ugate(["reload", "--admin", api.address]);
  equal([code, stdout], [1, ""]);
  equal(stderr.split("\n"), [
    "ugate.yaml:3:20 listeners.edge.address: expected a port\\x1b[2J",
    "ugate.yaml:4:1 lisener: unknown key",
    "ugate: Cannot reload: this configuration is refused, and the one before still holds",
    "",
  ]);
});

Deno.test("reload as data is the gate's outcome, with the same exit codes", async () => {
  await using api = new AdminApi();
  for (const [outcome, exit] of [[APPLIED, 0], [REFUSED, 1]] as const) {
    api.state.outcome = outcome;
    const { code, stdout } = await ugate(["reload", "--json", "--admin", api.address]);
    equal([code, JSON.parse(stdout)], [exit, outcome]);
  }
});

for (const from of ["a file", "stdin"]) {
  Deno.test(`reload --confirm sends the text of ${from}, and tells how to keep it and until when`, async () => {
    await using folder = await Folder.make();
    await using api = new AdminApi(`${folder.path}/admin.sock`);
    api.state.outcome = { ...APPLIED, warnings: [] };
    const text = "listeners: {} # ü\n";
    api.state.trial = { id: "t1", file: "/etc/ugate/ugate.yaml", text, left: 60_000 };
    const seen: string[] = [];
    api.state.seen = ({ method, url }, body) => void seen.push(method, url.replace(/.*\//, "/"), body);
    const file = await folder.write("new.yaml", text);
    const { code, stdout, stderr } = await ugate(
      ["reload", "--confirm", "60s", from === "stdin" ? "-" : file, "--admin", api.address],
      { stdin: text },
    );
    equal([code, stderr, seen], [0, "", ["POST", "/reload?confirm=60000", text]]);
    const lines = stdout.split("\n");
    equal(lines.slice(0, 2), ["applied for 1m00s", "  listener edge: on :8443 instead of :443"]);
    ok(/^until (\S+ )?\d\d:\d\d:\d\d, then what held before holds again/.test(lines[3]), stdout);
    equal(lines[4], `  ugate confirm --admin ${api.address}`);
  });
}

Deno.test("what is no readable file is refused before the gate is asked", async () => {
  await using folder = await Folder.make();
  await using api = new AdminApi();
  const asked: string[] = [];
  api.state.seen = ({ url }) => void asked.push(url);
  const latin = await folder.write("latin.yaml", Uint8Array.of(0xe4, 0x0a));
  const large = await folder.write("large.yaml", new Uint8Array(1024 * 1024 + 1));
  const cases = [
    [folder.path, /: it is a directory; a trial is one file, the whole configuration$/],
    [`${folder.path}/none.yaml`, /: there is no such file$/],
    [latin, /: expected UTF-8 text$/],
    [large, /: expected at most 1 MiB of configuration$/],
  ] as const;
  for (const [file, says] of cases) {
    const { code, stdout, stderr } = await ugate([
      "reload",
      "--confirm",
      "60s",
      file,
      "--admin",
      api.address,
    ]);
    equal([code, stdout], [1, ""], file);
    ok(stderr.startsWith(`Cannot read ${file}: `) && says.test(stderr.trimEnd()), stderr);
  }
  equal(asked, []);
});
