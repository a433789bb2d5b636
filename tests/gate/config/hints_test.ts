/** What a message adds where a mistake is a common one. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

/** The lines of the message; none: it is right. */
async function problemsOf(text: string): Promise<string[]> {
  const loaded = parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, { get: () => undefined });
  const error = await loaded.then(() => undefined, (error) => error);
  if (error !== undefined && !(error instanceof ConfigurationError)) throw error;
  return error?.message.split("\n") ?? [];
}

const EDGE = `listeners: { edge: { address: ":443", protocols: [tls, ssh] } }\n`;
const LOCAL = (more: string) => `listeners: { a: { address: "127.0.0.1:1", ${more} } }\n`;

Deno.test("what takes the place of a login in a message is not its host", async () => {
  const told = async (text: string) =>
    (await problemsOf(`routes: ${JSON.stringify(text)}`))[0].replace(/.*got /, "");
  equal(await told("a:b@c"), '"***@c"');
  equal(await told("http://a:b@c"), '"http://***@c"');
  equal(await told("::a:b:c@d e:f@g"), '"***@d ***@g"');
  equal(await told("unix:@a"), '"unix:@a"');
  equal(await told("a@b"), '"a@b"');
});

Deno.test("a missing space behind a colon is told as such", async () => {
  const told = [
    [LOCAL(`to:"a:1"`), /listeners\.a\["to:.*: unknown key; a space is missing after "to:"$/m],
    [`log:{level: info}`, /: unknown key; a space is missing after "log:"$/],
    [
      `listeners:\n  a:\n    to:127.0.0.1:80\n`,
      /u?gate\.yaml:3:5 listeners\.a: expected a map, with a space after each colon, got "to:127/,
    ],
    [
      `listeners:\n  a:\n    address: ":1"\n    to:127.0.0.1:80\n`,
      /^ugate\.yaml:4:5: a character is missing: most likely a space after the colon$/,
    ],
    [
      `${EDGE}routes:\n  - to:127.0.0.1:80\n`,
      /routes\[0\]: expected a map, with a space after each colon, got "to:/,
    ],
  ] as const;
  for (const [text, sentence] of told) {
    const problems = await problemsOf(text);
    equal(problems.some((problem) => sentence.test(problem)), true, problems.join("\n"));
  }
});

Deno.test("a variable that is empty is told by its name, where something is needed", async () => {
  const empty = { get: (name: string) => name === "PASSWORD" ? "" : undefined };
  const error = await parseConfiguration(
    [{ file: "u", text: LOCAL("protocols: [socks], users: { alice: '${PASSWORD}' }") }],
    toyProtocols,
    empty,
  ).catch((error) => error);
  equal(
    error.message,
    'u:1:79 listeners.a.users.alice: expected a password of 1 to 255 bytes, got nothing from "${PASSWORD}"',
  );
  const { config } = await parseConfiguration(
    [{ file: "u", text: "node: { domain: '${PASSWORD}' }" }],
    toyProtocols,
    empty,
  );
  equal(config.node.domain, "");
});
