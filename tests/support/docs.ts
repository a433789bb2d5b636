/**
 * docs/http.md as a test reads it. Each of its configurations is served with these changes and no others: listening
 * addresses get port 0, a target of 10.0.0.0/24 becomes a server that tells what came to it, files and keys are those of
 * the test, and an authority that certifies names is one of this machine. Of each line to type, what stands behind its `#` is somewhere in what it prints.
 */
import http from "node:http";
import https from "node:https";
import { Authority, type Issued } from "./certificates.ts";
import { Folder } from "./child.ts";
import { TestIssuer } from "./issuer.ts";
import { served } from "./readme.ts";

export interface Page {
  /** Of the first line of the block, `# paths.yaml`. */
  readonly name: string;
  readonly yaml: string;
  readonly lines: readonly Line[];
}

export interface Line {
  readonly command: string;
  /** A part of what it prints; empty: it runs beside the others. */
  readonly prints: string;
}

/** Every configuration with a name; `text` is files of others. Throws where a block is neither of them nor sh. */
export function pagesOf(markdown: string): Page[] {
  const pages: { name: string; yaml: string; lines: Line[] }[] = [];
  for (const [, language, text] of markdown.matchAll(/^ *```(.*)\n([^]*?)^ *```$/gm)) {
    if (language === "sh") {
      pages.at(-1)!.lines.push(...text.split("\n").filter(Boolean).map(lineOf));
      continue;
    }
    if (language === "text") continue;
    const name = /^# (\S+\.yaml)\n/.exec(text)?.[1];
    if (language !== "yaml") throw new Error(`not testable: ${language}\n${text}`);
    if (name !== undefined) pages.push({ name, yaml: text, lines: [] });
  }
  return pages;
}

function lineOf(line: string): Line {
  const [, command, prints = ""] = /^(.*?)(?: +# (.*))?$/.exec(line)!;
  return { command, prints };
}

const TARGET = /"((?:https?:\/\/)?10\.0\.0\.\d+:\d+)"/g;
const PEM = /"([\w-]+\.(?:pem|key))"/g;
const HOST = /\b(?:host|serverName): "?([\w*.-]+)/g;
const KEYS = "https://login.example.com/.well-known/jwks.json";
const ISSUER = "https://login.example.com/";

/** What is served of files. */
const SITE = "www";

/** The directory of a site in that folder. */
export async function makeSite({ path }: Folder): Promise<string> {
  await Deno.mkdir(`${path}/${SITE}`);
  await Deno.writeTextFile(`${path}/${SITE}/index.html`, "<p>It works</p>\n");
  return `${path}/${SITE}`;
}

/** The servers and files that a page tells of. Whatever it starts is gone with it. */
export class DocsWorld extends AsyncDisposableStack {
  private constructor(readonly folder: Folder, readonly issued: Issued, readonly roots: string) {
    super();
    this.use(folder);
  }

  /** With a certificate for these names. */
  static async make(names: readonly string[]): Promise<DocsWorld> {
    const authority = await Authority.make("docs");
    const issued = await authority.issue(names);
    const world = new DocsWorld(await Folder.make(), issued, authority.root.chainFile);
    await world.folder.write("cert.pem", issued.chain);
    await world.folder.write("key.pem", issued.key);
    await world.folder.write("ca.pem", authority.root.chain);
    const client = await authority.issue(["client.example.com"]);
    await world.folder.write("client.pem", client.chain);
    await world.folder.write("client.key", client.key);
    return world;
  }

  /** Tokens of an issuer that pages tell of: the right one, and one of somebody with other claims. */
  async tokens(): Promise<{ readonly TOKEN: string; readonly OTHER: string }> {
    await using issuer = await TestIssuer.start();
    await this.folder.write("keys.json", issuer.set);
    const token = (scope: string) =>
      issuer.token({ iss: ISSUER, aud: "orders.example.com", sub: "alice", scope, tier: "gold" });
    return { TOKEN: await token("orders more"), OTHER: await token("other") };
  }

  /** The configuration as it is served. */
  async served(yaml: string): Promise<string> {
    const places: Record<string, string> = {};
    for (const [, target] of yaml.matchAll(TARGET)) places[target] ??= await this.#backend(target);
    for (const [, file] of yaml.matchAll(PEM)) places[file] = `${this.folder.path}/${file}`;
    if (yaml.includes(KEYS)) places[KEYS] = `${this.folder.path}/keys.json`;
    if (yaml.includes(`"${SITE}"`)) places[SITE] = await makeSite(this.folder);
    return served(yaml, places, {});
  }

  /** Tells its name, the method and the path, the fields of the head, and how much content came. */
  async #backend(target: string): Promise<string> {
    const [, scheme = "", name] = /^(https?:\/\/)?(.*)$/.exec(target)!;
    const answer: http.RequestListener = (request, response) => {
      let size = 0;
      request.on("data", (bytes: Uint8Array) => size += bytes.length);
      request.on("end", () => {
        const fields = Object.entries(request.headers).map(([field, value]) => `${field}: ${value}`);
        const told = [`${name} ${request.method} ${request.url}`, ...fields, `content: ${size} bytes`];
        response.end(`${told.join("\n")}\n`);
      });
    };
    const { chain: cert, key } = this.issued;
    const server = scheme === "https://"
      ? https.createServer({ cert, key }, answer)
      : http.createServer(answer);
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    this.defer(async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    });
    return `${scheme}127.0.0.1:${(server.address() as { port: number }).port}`;
  }
}

/** The names that routes of a page have. */
export const namesIn = (yaml: string): string[] => [
  ...new Set(Array.from(yaml.matchAll(HOST), ([, host]) => host)),
  "localhost",
];
