/** What is behind a gate that every kind of connection comes through: the servers, and the rules that lead there. */
import { listenTagged } from "./mixed_load.ts";
import type { TestServer } from "./net.ts";

/** Who may answer a connection of KINDS. */
export const TAGS = ["ssh", "mqtt", "http", "a", "b", "fallback", "asked"] as const;
export type Tag = typeof TAGS[number];

export class MixedWorld implements AsyncDisposable {
  private constructor(
    readonly servers: Readonly<Record<Tag, TestServer>>,
    private readonly stack: AsyncDisposableStack,
  ) {}

  static async start(): Promise<MixedWorld> {
    await using stack = new AsyncDisposableStack();
    const servers = await Promise.all(TAGS.map(async (tag) => [tag, stack.use(await listenTagged(tag))]));
    return new MixedWorld(Object.fromEntries(servers), stack.move());
  }

  /** A listener `edge` for all kinds, and routes; `more` of these by their host, to ports. */
  rules(more: Readonly<Record<string, number>> = {}): string {
    const hosts = Object.entries(more).map(([host, port]) =>
      `  - { host: ${host}, to: "127.0.0.1:${port}" }`
    );
    const to = (tag: Tag) => `to: "127.0.0.1:${this.servers[tag].port}"`;
    return `
listeners:
  edge:
    address: "127.0.0.1:0"
    protocols: [tls, ssh, mqtt, http, connect, socks]
    fallback: "127.0.0.1:${this.servers.fallback.port}"
routes:
${hosts.join("\n")}
  - { host: a.test, ${to("a")} }
  - { host: "*.b.test", ${to("b")} }
  - { protocol: ssh, ${to("ssh")} }
  - { protocol: mqtt, ${to("mqtt")} }
  - { protocol: http, ${to("http")} }
`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}
