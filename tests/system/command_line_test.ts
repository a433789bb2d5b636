/** The other verbs as people type them: what goes to stdout and stderr, and the exit code. */
import { equal, ok } from "../support/assert.ts";
import { Folder } from "../support/child.ts";
import { ugate } from "../support/program.ts";

const DONE = 0, FAILED = 1, USAGE = 2;
const BROKEN = `listeners: { edge: { address: "127.0.0.1:99999", protocols: [tls, sox] } }\nlimit: {}\n`;
const RIGHT = `listeners: { edge: { address: "127.0.0.1:0", protocols: [socks] } }\n`;

Deno.test("version, schema and help are data on stdout and exit with 0", async () => {
  const version = await ugate(["version"]);
  equal([version.code, version.stderr], [DONE, ""]);
  ok(/^ugate \d+\.\d+\.\d+ \(Deno /.test(version.stdout), version.stdout);
  const schema = await ugate(["schema"]);
  equal([schema.code, schema.stderr], [DONE, ""]);
  ok("listeners" in JSON.parse(schema.stdout).properties);
  const help = await ugate(["help"]);
  equal(help.code, DONE);
  for (const verb of ["run", "check", "explain", "schema", "hash", "version"]) {
    ok(new RegExp(`^ +${verb}\\b`, "m").test(help.stdout), `${verb} in\n${help.stdout}`);
  }
});

Deno.test("what is used wrongly exits with 2, and says how to use it on stderr", async () => {
  for (const args of [["rum"], ["run", "--nonsense"], ["run", "-c"], []]) {
    const { code, stdout, stderr } = await ugate(args);
    equal([code, stdout], [USAGE, ""], args.join(" "));
    ok(stderr.length > 0);
  }
});

Deno.test("check tells every mistake with its place and exits with 1, or what is right and exits with 0", async () => {
  await using folder = await Folder.make();
  const right = await ugate(["check", "-c", await folder.write("right.yaml", RIGHT)]);
  equal(right.code, DONE, right.stderr);
  const broken = await ugate(["check", "-c", await folder.write("broken.yaml", BROKEN)]);
  equal(broken.code, FAILED);
  for (const part of ["broken.yaml:1:", "broken.yaml:2:1", "99999", "sox", `did you mean "limits"`]) {
    ok(broken.stderr.includes(part), `${part} in\n${broken.stderr}`);
  }
  const absent = await ugate(["check", "-c", `${folder.path}/absent.yaml`]);
  equal(absent.code, FAILED);
  ok(absent.stderr.includes("absent.yaml"), absent.stderr);
});

Deno.test("explain says what a connection would get without dialing: 0 where it may, 1 where it may not", async () => {
  await using folder = await Folder.make();
  const at = ["-c", await folder.write("right.yaml", RIGHT)];
  const allowed = await ugate(["explain", "127.0.0.1:9", ...at]);
  equal(allowed.code, DONE, allowed.stderr);
  ok(allowed.stdout.includes("127.0.0.1:9"), allowed.stdout);
  const denied = await ugate(["explain", "169.254.169.254:80", ...at]);
  equal(denied.code, FAILED, denied.stdout);
  ok(denied.stdout.includes("denied") || denied.stdout.includes("deny"), denied.stdout);
});

Deno.test("hash reads a password from stdin, salts it, and never says it", async () => {
  const hashes = await Promise.all([1, 2].map(() => ugate(["hash"], { stdin: "secret\n" })));
  for (const { code, stdout, stderr } of hashes) {
    equal(code, DONE);
    ok(/^scrypt:\S+\n$/.test(stdout), stdout);
    ok(!`${stdout}${stderr}`.includes("secret"));
  }
  ok(hashes[0].stdout !== hashes[1].stdout);
});
