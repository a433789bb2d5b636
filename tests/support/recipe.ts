/** A recipe of README.md as a test reads it: files, and lines that are typed on one of several machines. */

/** Whose terminal it is, by the first line of a block: `# on the Pi`. */
const MACHINES = { "on the gate": "gate", "on the Pi": "pi", "on your laptop": "client" } as const;
export type Machine = (typeof MACHINES)[keyof typeof MACHINES];

export interface Typed {
  readonly machine: Machine;
  readonly command: string;
  /** A part of what it prints. */
  readonly prints: string;
}

/** In the order of the text. */
export type Step =
  | { readonly kind: "file"; readonly name: string; readonly text: string }
  | { readonly kind: "typed"; readonly lines: readonly Typed[] };

/** Of the section with this title. Throws where a block says neither which file it is nor where it is typed. */
export function recipeOf(markdown: string, title: string): Step[] {
  const section = markdown.split(/^## /m).find((one) => one.startsWith(`${title}\n`));
  if (section === undefined) throw new Error(`no section ${title}`);
  const blocks = section.matchAll(/^```(\w*)\n# (.*)\n([^]*?)^```$/gm).toArray();
  if (blocks.length !== section.matchAll(/^```\w/gm).toArray().length) {
    throw new Error("a block has no title");
  }
  return blocks.map(([, language, name, text]) =>
    language === "sh" ? { kind: "typed", lines: typedOf(name, text) } : { kind: "file", name, text }
  );
}

function typedOf(where: string, text: string): Typed[] {
  const machine = Object.entries(MACHINES).find(([words]) => words === where)?.[1];
  if (!machine) throw new Error(`typed where? ${where}`);
  return text.split("\n").filter(Boolean).map((line) => {
    const [, command, prints = ""] = /^(.*?)(?: +# (.*))?$/.exec(line)!;
    return { machine, command, prints };
  });
}

/** README.md without it, for who reads the rest. */
export const withoutRecipe = (markdown: string, title: string): string =>
  markdown.split(/^(?=## )/m).filter((section) => !section.startsWith(`## ${title}\n`)).join("");
