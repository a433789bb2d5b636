/** docs/operating.md as tests read it: its tables, and the files in it. */
const TEXT = Deno.readTextFileSync(new URL("../../docs/operating.md", import.meta.url));

/** The first table under a heading, without its own head: the cells of each row, their code marks left out. */
export function tableUnder(heading: string): string[][] {
  const section = TEXT.split(new RegExp(`^#+ ${heading}\n`, "m"))[1]?.split(/^#/m)[0];
  if (section === undefined) throw new Error(`no heading ${heading}`);
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(2).map((row) => row.slice(2, -1).split(" | ").map((cell) => cell.trim()));
}

/** The text of the block whose first line is a comment with this path. */
export function fileAt(path: string): string {
  const [, text] = TEXT.split(`\n# ${path}\n`);
  if (text === undefined) throw new Error(`no file ${path}`);
  return text.slice(0, text.indexOf("\n```") + 1);
}
