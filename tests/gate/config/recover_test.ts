import { LastGood } from "../../../gate/config/last_good.ts";
import { loadFrom, type Parse, parseConfiguration } from "../../../gate/config/load.ts";
import { ConfigurationError } from "../../../gate/config/problems.ts";
import { recover } from "../../../gate/config/recover.ts";
import { ConfigurationSource } from "../../../gate/config/source.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";
import { toyProtocols } from "./toy_protocols.ts";

const GOOD = `listeners: { edge: { address: "127.0.0.1:8443", to: "127.0.0.1:\${PORT}" } }\n`;

/** A gate whose configuration worked as GOOD, and now is `broken`. */
async function after(folder: Folder, broken: string, state = folder.path, good = GOOD) {
  const env = { get: (name: string) => ({ PORT: "443", XDG_STATE_HOME: folder.path })[name] };
  const file = await folder.write("ugate.yaml", broken);
  await new LastGood(state, file).write([{ file, text: good }]);
  const source = new ConfigurationSource(file, env);
  const parse: Parse = (texts) => parseConfiguration(texts, toyProtocols, env);
  const fault = await loadFrom(source, parse).catch((fault) => fault);
  ok(fault instanceof ConfigurationError);
  return { file, fault, recovered: () => recover(fault, source, parse, env) };
}

Deno.test("a broken configuration is recovered from, and every mistake of it is told", async () => {
  await using folder = await Folder.make();
  const broken =
    `node: { state: ${folder.path} }\nlisteners: { edge: { address: ":70000", to: "x" } }\nrutes: []`;
  const { file, recovered } = await after(folder, broken);
  const { config, files, texts, warnings, lastGood } = await recovered();
  equal(lastGood, true);
  equal(config.routes[0].to[0].target, { host: "127.0.0.1", port: 443 });
  equal([files, texts], [[file], [{ file, text: GOOD }]]);
  equal(
    warnings[0],
    `the configuration on disk is broken and does not hold: this is the last good one, of ${
      new LastGood(folder.path, file).path
    }`,
  );
  const told = warnings.slice(1).join("\n");
  for (
    const mistake of [/:2:\d+ listeners\.edge\.address: /, /:2:\d+ listeners\.edge\.to: /, /:3:1 rutes: /]
  ) {
    ok(mistake.test(told), told);
  }
});

Deno.test("the state directory is found before what is no YAML, and by the environment", async () => {
  await using folder = await Folder.make();
  const line = `node:\n  state: ${folder.path}\n`;
  const texts = [
    `${line}listeners: [}`,
    `${line}listeners:\n\t- x`,
    `node: { state: "\${XDG_STATE_HOME}" }\nx: {`,
    "node: { state: . }\nx: {",
  ];
  for (const broken of texts) {
    const { recovered } = await after(folder, broken);
    equal((await recovered()).texts[0].text, GOOD);
  }
});

Deno.test("where node.state cannot be read, or the file is not there, the default directory is used", async () => {
  await using folder = await Folder.make();
  if (Deno.uid() === 0) { // then the default is the machine's: nothing is kept there by a test
    const { recovered } = await after(folder, "{{{");
    return await rejects(
      recovered(),
      /^Cannot start from the last good configuration: no \/var\/lib\/ugate\/|^Cannot read \/var\/lib\/ugate\//,
    );
  }
  const { file, recovered } = await after(folder, "{{{", `${folder.path}/ugate`);
  equal((await recovered()).files, [file]);
});

Deno.test("a last good configuration that does not hold any more is refused with its mistakes", async () => {
  await using folder = await Folder.make();
  const { recovered } = await after(
    folder,
    `node: { state: ${folder.path} }\nrutes: []`,
    folder.path,
    "routs: []",
  );
  await rejects(
    recovered(),
    /^Cannot start from .*last-good\/[0-9a-f]+\.json: it does not hold now\n.*ugate\.yaml:1:1 routs: /,
  );
});

Deno.test("the last good configuration is found under another spelling of its path", async () => {
  await using folder = await Folder.make();
  const { fault, file } = await after(folder, `node: { state: ${folder.path} }\nrutes: []`);
  await Deno.mkdir(`${folder.path}/sub`);
  const source = new ConfigurationSource(`${folder.path}/sub/../ugate.yaml`, Deno.env);
  await source.read();
  const parse: Parse = (texts) => parseConfiguration(texts, toyProtocols, { get: () => "443" });
  equal((await recover(fault, source, parse)).texts, [{ file, text: GOOD }]);
});
