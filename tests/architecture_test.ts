/** ARCHITECTURE.md names places: they have to be there, and no folder of the product may be left out. */
import { equal } from "./support/assert.ts";

const ROOT = new URL("../", import.meta.url);
const TEXT = Deno.readTextFileSync(new URL("ARCHITECTURE.md", ROOT));
const FOLDERS = ["gate", "protocols", "routes", "scripts", "tests"];

/** Paths in backticks; a pattern such as `check*.ts` is one for people. */
const named = new Set(
  [...TEXT.matchAll(/`((?:gate|protocols|routes|scripts|tests)\/[\w/.]*|[\w]+\.ts)`/g)].map(([, path]) =>
    path
  ),
);

function isThere(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isDirectory === path.endsWith("/");
  } catch {
    return false;
  }
}

Deno.test("every path that ARCHITECTURE.md names is there", () => {
  const placeholders = ["protocols/NAME.ts", "gate/commands/NAME.ts"];
  equal([...named].filter((path) => !placeholders.includes(path) && !isThere(path)), []);
});

Deno.test("ARCHITECTURE.md names every folder, and every file of gate/ itself", () => {
  const entries = [...Deno.readDirSync(new URL("gate/", ROOT))];
  const expected = [
    ...FOLDERS.map((name) => `${name}/`),
    ...entries.map(({ name, isDirectory }) => `gate/${name}${isDirectory ? "/" : ""}`),
  ];
  equal(expected.filter((path) => !named.has(path)).sort(), []);
});
