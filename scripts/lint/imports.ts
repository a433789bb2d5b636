/**
 * The lint plugin: who may import whom, and how an error reads. `deno.json` names it; `deno lint` runs it.
 *
 * gate/ imports gate/ alone. protocols/ and routes/ import gate/ and never each other; of another protocol only its
 * codec. The parts are joined in main.ts, gate/commands/ and gate/threads/. Nothing imports tests/ or scripts/.
 */

const ROOT = new URL("../../", import.meta.url).pathname;
const JOINERS = /^(main\.ts$|gate\/commands\/|gate\/threads\/)/;
const REGISTRIES = /^(protocols|routes)\/(mod|session)\.ts$/;
/** What `new GateError(failure, side, message)` has to say: `Cannot <act>: <state>`, no final period. */
const SENTENCE = /^Cannot [^:].*: .*[^.]$/s;

/** What is wrong with `from` importing `to`, both relative to the repository; undefined: nothing. */
export function importFault(
  from: string,
  to: string,
  names: readonly string[] = [],
  typeOnly = false,
): string | undefined {
  const mine = top(from), theirs = top(to);
  if (mine === "tests") return undefined;
  if (theirs === "tests" || theirs === "scripts" && mine !== "scripts") {
    return `nothing of the product imports ${theirs}/`;
  }
  if (mine === "scripts" || JOINERS.test(from)) return undefined;
  if (JOINERS.test(to) && !typeOnly) {
    return "only main.ts, gate/commands/ and gate/threads/ join the parts";
  }
  if (theirs === "gate") return undefined;
  if (mine === "gate") return "gate/ imports only gate/";
  if (mine !== theirs) return `${mine}/ imports gate/ and its own files, never ${theirs}/`;
  if (REGISTRIES.test(from)) return undefined;
  if (REGISTRIES.test(to)) return "only main.ts, gate/commands/ and gate/threads/ import a registry";
  return mine === "protocols" && !typeOnly ? protocolFault(from, to, names) : undefined;
}

/** protocols/NAME.ts is all protocol; protocols/NAME/ keeps its codec in files beside the serving one. */
function protocolFault(from: string, to: string, names: readonly string[]): string | undefined {
  const own = part(from), other = part(to);
  if (own === other) return undefined;
  const serving = [other, "mod", "serve", "wrap"].some((name) => to === `protocols/${other}/${name}.ts`);
  const verb = names.some((name) => name === "serve" || name === "wrap" || name === other);
  const forbidden = to === `protocols/${other}.ts` || serving || verb;
  return forbidden ? "a protocol imports the codec of another, never what serves or wraps it" : undefined;
}

const top = (path: string): string => path.split("/")[0];
const part = (path: string): string => path.split("/")[1].replace(/\.ts$/, "");

/** A relative specifier as a path inside the repository; undefined: a package, or something outside. */
function resolve(filename: string, specifier: string): string | undefined {
  if (!/^\.{1,2}\//.test(specifier)) return undefined;
  const path = new URL(specifier, `file://${filename}`).pathname;
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : undefined;
}

function direction(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const judge = (node: Deno.lint.Node, specifier: string, names: readonly string[], typeOnly: boolean) => {
    const to = resolve(context.filename, specifier);
    if (to === undefined) return;
    const fault = importFault(context.filename.slice(ROOT.length), to, names, typeOnly);
    if (fault) context.report({ node, message: `Cannot import ${specifier}: ${fault}` });
  };
  return {
    ImportDeclaration(node) {
      const names = node.specifiers.map((s) => s.type === "ImportSpecifier" ? nameOf(s.imported) : "*");
      judge(node, node.source.value, names, node.importKind === "type");
    },
    ExportNamedDeclaration(node) {
      const names = node.specifiers.map((s) => s.type === "ExportSpecifier" ? nameOf(s.local) : "*");
      if (node.source) judge(node, node.source.value, names, node.exportKind === "type");
    },
    ExportAllDeclaration(node) {
      judge(node, node.source.value, ["*"], node.exportKind === "type");
    },
    ImportExpression(node) {
      if (node.source.type === "Literal") judge(node, String(node.source.value), ["*"], false);
    },
  };
}

/** The name in `{ name as other }`, written bare or as a string. */
function nameOf(node: Deno.lint.Identifier | Deno.lint.StringLiteral): string {
  return node.type === "Identifier" ? node.name : node.value;
}

/**
 * The words of a literal or a template, values as `_`; undefined: the message is not written in place. A value in
 * front is taken for the act, `Cannot dial 10.0.0.1:22`, that several messages share.
 */
function words(node: Deno.lint.Node | undefined): string | undefined {
  if (node?.type === "Literal") return String(node.value);
  if (node?.type !== "TemplateLiteral") return undefined;
  const pieces = node.quasis.map((piece) => piece.cooked);
  return (pieces[0] === "" ? "Cannot " : "") + pieces.join("_");
}

function sentence(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  return {
    NewExpression(node) {
      if (node.callee.type !== "Identifier" || node.callee.name !== "GateError") return;
      const message = words(node.arguments[2]);
      if (message !== undefined && !SENTENCE.test(message)) {
        const expected =
          "Cannot accept this message: expected `Cannot <act>: <state>` without a final period";
        context.report({ node: node.arguments[2], message: expected });
      }
    },
  };
}

/** The product and its tests name what they export. */
function named(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  return {
    ExportDefaultDeclaration(node) {
      context.report({ node, message: "Cannot export a default: exports have names" });
    },
  };
}

const own = (filename: string, ...tops: string[]) =>
  filename.startsWith(ROOT) && !tops.includes(top(filename.slice(ROOT.length)));
const where = (rule: typeof named, ...except: string[]): Deno.lint.Rule => ({
  create: (context) => own(context.filename, ...except) ? rule(context) : {},
});

// Deno loads a plugin by its default export.
export default {
  name: "ugate",
  rules: {
    "import-direction": where(direction),
    "error-sentence": where(sentence, "tests"),
    "named-exports": where(named, "scripts"),
  },
} satisfies Deno.lint.Plugin;
