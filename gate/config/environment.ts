/** `${NAME}` in the texts of a configuration. */

export type Environment = Pick<Deno.Env, "get">;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The text with every `${NAME}` replaced and every `$${` a literal `${`; or what is wrong with it. */
export function substitute(text: string, env: Environment): { text: string } | { mistake: string } {
  let mistake: string | undefined;
  const replaced = text.replace(REFERENCE, (written: string, name: string | undefined) => {
    if (written === "$${") return "${";
    if (!NAME.test(name ?? "") || !written.endsWith("}")) {
      mistake ??= "expected ${NAME} after the $, or $${ for a literal ${";
      return "";
    }
    const value = env.get(name!);
    if (value === undefined) mistake ??= `the environment has no ${name}`;
    return value ?? "";
  });
  return mistake === undefined ? { text: replaced } : { mistake };
}
