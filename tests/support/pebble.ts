/** pebble, the ACME server of Let's Encrypt's authors for tests, with a DNS where every name but some is this machine. */
import { freePorts } from "../../scripts/free_ports.ts";
import { Authority } from "./certificates.ts";
import { Child, Folder } from "./child.ts";
import { DnsServer, NXDOMAIN } from "./dns_server.ts";

/** Where it asks, and what it issues. */
export interface PebbleOptions {
  readonly httpPort: number;
  readonly tlsPort: number;
  /** Seconds that certificates are good for. */
  readonly validity?: number;
  /** Of a pebble before: its directory stays the same. */
  readonly port?: number;
}

/** Names that end so are nobody's. */
export const UNKNOWN = ".unknown.example";

const authority = await Authority.make("pebble");
const own = await authority.issue(["localhost", "127.0.0.1"]);

/** Until somebody listens there, for five seconds. */
async function listens(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (thrown) {
      if (tries === 100) throw thrown;
      await new Promise((rested) => setTimeout(rested, 50));
    }
  }
}

export class Pebble implements AsyncDisposable {
  readonly directory: string;
  /** The file of the root that vouches for the directory. */
  readonly ca = authority.root.chainFile;

  private constructor(
    readonly port: number,
    readonly management: number,
    readonly child: Child,
    readonly dns: DnsServer,
    readonly folder: Folder,
  ) {
    this.directory = `https://127.0.0.1:${port}/dir`;
  }

  static async start({ httpPort, tlsPort, validity, port }: PebbleOptions): Promise<Pebble> {
    const [free, management] = freePorts(2), listen = port ?? free;
    const dns = await DnsServer.start(({ name, type }) => {
      if (name.toLowerCase().endsWith(UNKNOWN)) return { rcode: NXDOMAIN };
      return type === "A" ? { answers: [{ name, type, data: "127.0.0.1" }] } : {};
    });
    const folder = await Folder.make();
    const settings = {
      listenAddress: `127.0.0.1:${listen}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: own.chainFile,
      privateKey: own.keyFile,
      ...{ httpPort, tlsPort },
      ...validity && { certificateValidityPeriod: validity },
    };
    const config = await folder.write("pebble.json", JSON.stringify({ pebble: settings }));
    const child = new Child("pebble", ["-config", config, "-dnsserver", `127.0.0.1:${dns.target.port}`], {
      env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" },
    });
    const pebble = new Pebble(listen, management, child, dns, folder);
    try {
      await child.line(/ACME directory available/);
      await listens(management); // a task of its own, which may come after the directory
      return pebble;
    } catch (thrown) {
      await pebble[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** PEM of the root of what it issues: another one after each start. */
  async root(): Promise<string> {
    const client = Deno.createHttpClient({ caCerts: [authority.root.chain] });
    try {
      const answer = await fetch(`https://127.0.0.1:${this.management}/roots/0`, { client });
      return await answer.text();
    } finally {
      client.close();
    }
  }

  /** How often it said that. */
  count(said: RegExp): number {
    return `${this.child.stdout}\n${this.child.stderr}`.split("\n").filter((line) => said.test(line)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child[Symbol.asyncDispose]();
    await this.dns[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}
