/** The servers that an example of README.md tells of, on loopback, with a certificate for every name in it. */
import { equal } from "./assert.ts";
import { Folder, succeed } from "./child.ts";
import { connect, listen } from "./net.ts";

const NAMES = [
  "example.com",
  "*.example.com",
  "*.apps.example.com",
  "service.onion",
  "git.corp.example",
  "api.internal",
];

/** Whatever it starts is gone with it. */
export class ExampleWorld extends AsyncDisposableStack {
  #files!: { readonly cert: string; readonly key: string };

  private constructor(readonly folder: Folder) {
    super();
    this.use(folder);
  }

  static async make(): Promise<ExampleWorld> {
    const world = new ExampleWorld(await Folder.make());
    const [cert, key] = ["cert.pem", "key.pem"].map((name) => `${world.folder.path}/${name}`);
    await succeed("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=README".split(" "),
      ...[
        "-addext",
        `subjectAltName=${NAMES.map((name) => `DNS:${name}`).join(",")}`,
        "-keyout",
        key,
        "-out",
        cert,
      ],
    ]);
    world.#files = { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
    return world;
  }

  /** An HTTPS server that says who it is; its address. */
  https(name: string, hostname = "127.0.0.1"): string {
    return this.#serve(name, { ...this.#files, hostname });
  }

  http(name: string): string {
    return this.#serve(name, { hostname: "127.0.0.1" });
  }

  /** The same on a unix socket, as `unix:/path`. */
  unix(name: string): string {
    const path = `${this.folder.path}/${name}.sock`;
    this.use(Deno.serve({ path, onListen() {} }, () => new Response(`I am ${name}\n`)));
    return `unix:${path}`;
  }

  #serve(name: string, options: { hostname: string; cert?: string; key?: string }): string {
    const handler = () => new Response(`I am ${name}\n`);
    const server = this.use(
      Deno.serve({ ...options, port: 0, onListen() {} } as Deno.ServeTcpOptions, handler),
    );
    return `${options.hostname}:${server.addr.port}`;
  }

  /** Greets at once, as SMTP does. */
  async greeter(greeting: string): Promise<string> {
    const server = this.use(await listen((socket) => socket.write(greeting)));
    return `127.0.0.1:${server.port}`;
  }

  /** Wants a PROXY header of version 2, hands its source address to `told`, and the rest to `server`. */
  async behindProxyHeader(server: string, told: (source: string) => void): Promise<string> {
    const signature = "\r\n\r\n\0\r\nQUIT\n\x21\x11";
    const wanting = this.use(
      await listen((socket) => {
        socket.once("data", async (bytes) => {
          socket.pause();
          equal(bytes.toString("latin1", 0, 14), signature);
          told(bytes.subarray(16, 20).join("."));
          const { socket: upstream } = await connect(Number(server.split(":")[1]));
          upstream.write(bytes.subarray(16 + bytes.readUInt16BE(14)));
          socket.pipe(upstream).pipe(socket);
          socket.once("close", () => upstream.destroy());
        });
      }),
    );
    return `127.0.0.1:${wanting.port}`;
  }
}
