/** What is looked at in a binary before it gets its name, on images made up here: nothing is compiled. */
import { contents, namedIn } from "../../scripts/compile/contents.ts";
import { faultsOf } from "../../scripts/compile/inspect.ts";
import { payloadOf, type Settings } from "../../scripts/compile/payload.ts";
import { stubFor, stubsOf, versionsIn } from "../../scripts/compile/stub.ts";
import { type Target, targetOf } from "../../scripts/compile/target.ts";
import { equal, ok, rejects, throws } from "../support/assert.ts";
import { Folder, run } from "../support/child.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const X86: Target = "x86_64-unknown-linux-gnu", ARM: Target = "aarch64-unknown-linux-gnu";
const encode = (text: string) => new TextEncoder().encode(text);

/** The header of an ELF file for a machine of elf(5), and some bytes. */
function elf(machine: number, after = ""): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.set([machine & 255, machine >> 8], 18);
  return joined(header, encode(after));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Bytes behind their length, as a payload has them. */
function counted(bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true);
  return joined(length, bytes);
}

const SETTINGS: Settings & { argv: string[] } = {
  argv: [],
  entrypoint_key: "main.ts",
  code_cache_key: null,
  permissions: {
    allow_net: [],
    allow_sys: ["uid"],
    allow_run: null,
    allow_import: [],
    deny_import: [],
    prompt: false,
  },
};
const PERMISSIONS = ["--allow-net", "--allow-sys=uid", "--deny-import"];
const MAIN = Deno.readFileSync(`${ROOT}main.ts`), PACKAGE = encode("{}");

/** A binary that holds main.ts, in a folder version.ts, and a package. */
function binary(settings: object = SETTINGS, main = MAIN, machine = 62): Uint8Array {
  const version = Deno.readFileSync(`${ROOT}gate/version.ts`);
  const at = [0, PACKAGE.length, PACKAGE.length + version.length];
  const tree = [
    {
      Dir: {
        n: ".deno_compile_node_modules",
        e: [{
          Dir: {
            n: "localhost",
            e: [folder("yaml", [folder("2.9.1", [file("package.json", at[0], PACKAGE)])])],
          },
        }],
      },
    },
    folder("gate", [file("version.ts", at[1], version)]),
    file("main.ts", at[2], main),
  ];
  // Letters of the runtime that look like a beginning.
  const stub = elf(machine, `"Deno/2.7.14" {"argv": [{"Dir":{"n":" d3n0l4nd`);
  const data = counted(joined(PACKAGE, version, main));
  return joined(stub, counted(encode(JSON.stringify(settings))), counted(encode(JSON.stringify(tree))), data);
}

const folder = (n: string, e: unknown[]) => ({ Dir: { n, e } });
const file = (n: string, at: number, bytes: Uint8Array) => ({ File: { n, o: [at, bytes.length], u: true } });

const NEEDED = { included: [], files: ["gate/version.ts", "main.ts"], packages: ["yaml/2.9.1"] };

Deno.test("the CPU of an image is read from its ELF header", () => {
  equal(targetOf(elf(62)), X86);
  equal(targetOf(elf(183)), ARM);
  equal(targetOf(elf(243)), undefined);
  equal(targetOf(elf(62).subarray(0, 20)), undefined);
  equal(targetOf(encode("#!/bin/sh\n".repeat(10))), undefined);
});

Deno.test("a runtime stub of another CPU is not taken, and one of another Deno is refused", async () => {
  await using files = await Folder.make();
  const one = await files.write("one", elf(62, "Mozilla Deno/2.7.14 Deno/ Deno/x"));
  const two = await files.write("two", elf(183, "Deno/2.7.11"));
  const stubs = await stubsOf(`${one}:${two}:`);
  equal(stubFor(X86, stubs, "2.7.14")?.path, one);
  equal(stubFor(ARM, stubs.slice(0, 1), "2.7.14"), undefined);
  throws(
    () => stubFor(ARM, stubs, "2.7.14"),
    /^Cannot use DENORT_BIN .*two: it is of 2\.7\.11, and this is Deno 2\.7\.14$/,
  );
  equal(await stubsOf(""), []);
  await rejects(stubsOf(`${files.path}/none`), /^Cannot read DENORT_BIN .*none/);
  await rejects(
    stubsOf(await files.write("text", "no program")),
    /^Cannot use DENORT_BIN .*text: no program/,
  );
  equal(versionsIn(encode("Deno/1.2.3 Deno/1.2.3Deno/4.5.6")), ["1.2.3", "4.5.6"]);
});

Deno.test("settings and files are found behind a runtime that has the same letters", () => {
  const { settings, files } = payloadOf(binary());
  equal(settings.entrypoint_key, "main.ts");
  equal([...files.keys()], [
    ".deno_compile_node_modules/localhost/yaml/2.9.1/package.json",
    "gate/version.ts",
    "main.ts",
  ]);
  equal(new Uint8Array(files.get("main.ts")!), MAIN);
});

Deno.test("a binary that is cut off, or holds no program, is an error", () => {
  const whole = binary();
  throws(
    () => payloadOf(whole.subarray(0, whole.length - 1)),
    /^Cannot read main\.ts of the program: it is cut off/,
  );
  throws(() => payloadOf(elf(62, '{"argv":')), /^Cannot read the program: nothing in it begins with/);
});

Deno.test("a binary as it should be has no faults", () => {
  equal(faultsOf(binary(), X86, NEEDED, PERMISSIONS), []);
});

Deno.test("the other CPU, a missing file, an old one and a missing package are told", () => {
  equal(faultsOf(binary(SETTINGS, MAIN, 183), X86, NEEDED, PERMISSIONS), [
    `it is for ${ARM}, not for ${X86}`,
  ]);
  const more = { ...NEEDED, files: [...NEEDED.files, "gate/threads/engine.ts"], packages: ["zod/4.6.7"] };
  equal(faultsOf(binary(SETTINGS, encode("old")), X86, more, PERMISSIONS), [
    "its main.ts is not the one here",
    "it does not hold gate/threads/engine.ts",
    "it does not hold the package zod/4.6.7",
  ]);
});

Deno.test("a code cache in /tmp, questions, and every permission more or less are told", () => {
  const permissions = { allow_net: [], allow_sys: [], allow_import: [], deny_import: null, prompt: true };
  const settings = { ...SETTINGS, code_cache_key: "1", permissions };
  equal(faultsOf(binary(settings), X86, NEEDED, [...PERMISSIONS, "--allow-env"]), [
    "it reads a code cache from /tmp",
    "it asks for permissions",
    "it was given --allow-sys --allow-import",
    "it was not given --allow-sys=uid --allow-env",
  ]);
});

Deno.test("a binary needs what is loaded late and what is named by URL, and no types", async () => {
  const { included, files, packages } = await contents();
  ok(included.includes("gate/threads/engine.ts"));
  const late = [
    "gate/commands/run.ts",
    "gate/config/sections.ts",
    "routes/dns/lookup.ts",
    "protocols/mod.ts",
  ];
  for (const path of ["main.ts", ...included, ...late]) ok(files.includes(path), path);
  ok(!files.includes("gate/contracts.ts") && !files.some((path) => /^(tests|scripts)\//.test(path)));
  ok(
    packages.some((name) => name.startsWith("zod/")) &&
      !packages.some((name) => name.startsWith("fast-check")),
  );
});

Deno.test("files are found that code names by URL, and an import that nobody can foresee is refused", () => {
  equal(
    namedIn(
      "gate/a/b.ts",
      'new Worker(new URL("../c.ts", import.meta.url)); new URL(\n  "./d.html",\n import.meta.url)',
    ),
    [
      "gate/c.ts",
      "gate/a/d.html",
    ],
  );
  equal(
    namedIn("gate/a.ts", 'await import("./b.ts"); new URL("https://example.com/"); import.meta.main;'),
    [],
  );
  throws(() => namedIn("gate/a.ts", "await import(name)"), /^Cannot compile gate\/a\.ts: import\(name\)/);
  for (
    const text of ["import.meta.dirname", "new URL(name, import.meta.url)", 'import.meta.resolve("./b.ts")']
  ) {
    throws(() => namedIn("gate/a.ts", text), /^Cannot compile gate\/a\.ts: import\.meta without/);
  }
});

Deno.test("the task says how it is used, and how to go on without the right runtime", async () => {
  const compile = (args: string[], env = {}) =>
    run(Deno.execPath(), ["run", "-A", `${ROOT}scripts/compile.ts`, ...args], { env });
  for (const args of [["--target", "riscv64"], ["--nonsense"]]) {
    const { code, stdout, stderr } = await compile(args);
    equal([code, stdout], [2, ""]);
    ok(stderr.includes("Usage: deno task compile"), stderr);
  }
  await using files = await Folder.make();
  const old = await files.write("denort", elf(183, "Deno/1.0.0"));
  const { code, stderr } = await compile(["--target", ARM], { DENORT_BIN: old });
  equal(code, 1);
  ok(
    stderr.includes(`Cannot use DENORT_BIN ${old}: it is of 1.0.0, and this is Deno ${Deno.version.deno}`),
    stderr,
  );
});
