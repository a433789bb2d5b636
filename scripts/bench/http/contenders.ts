/** Running HTTP servers, and the backend behind all of them. */
import { freePorts } from "../../free_ports.ts";
import { Child } from "../process.ts";
import { backend, type Entrances, type Files, type HttpServer } from "./servers.ts";

export interface HttpContender extends AsyncDisposable {
  readonly name: string;
  readonly ports: Entrances;
  readonly child: Child;
}

/** ms that a server has until it answers, and between two looks whether it does. */
const PATIENCE = 20_000, PAUSE = 10;
/** Octets of what is small and big. */
const SMALL = 120, BIG = 1 << 20;

/** A self-signed certificate in this folder. */
export async function makeFiles(folder: string): Promise<Files> {
  const [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => `${folder}/${name}`);
  const args = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=bench.test";
  const names = ["-addext", "subjectAltName=DNS:bench.test,IP:127.0.0.1"];
  const made = new Deno.Command("openssl", {
    args: [...args.split(" "), ...names, "-out", cert, "-keyout", key],
    stderr: "null",
  });
  if (!(await made.output()).success) throw new Error("Cannot make a certificate: openssl failed");
  const [chain, secret] = await Promise.all([cert, key].map((file) => Deno.readTextFile(file)));
  await Deno.writeTextFile(both, chain + secret);
  return { cert, key, both };
}

/** The backend, which is also what is measured with nobody between. */
export async function startBackend(files: Files): Promise<HttpContender> {
  return await startHttp(backend, 0, files);
}

/** Starts a server of its own in front of the backend at this port; it answers when this resolves. */
export async function startHttp(server: HttpServer, port: number, files: Files): Promise<HttpContender> {
  const [clear, tls] = freePorts(2), ports = { clear, tls };
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  await Deno.chmod(folder, 0o755);
  await Deno.mkdir(`${folder}/log`); // a gate watches the directory of its configuration
  await Deno.writeTextFile(`${folder}/small`, "x".repeat(SMALL));
  await Deno.writeFile(`${folder}/big`, new Uint8Array(BIG));
  const file = `${folder}/configuration`;
  await Deno.writeTextFile(file, server.configure({ ports, backend: port, folder, files }));
  const [program, ...args] = server.command(file, folder);
  const child = new Child(server.name, program, args);
  const end = async () => {
    await child[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await firstAnswer(child, clear);
    return { name: server.name, ports, child, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function firstAnswer(child: Child, port: number): Promise<void> {
  const until = performance.now() + PATIENCE;
  while (!await answers(port)) {
    if (child.ended || performance.now() > until) {
      throw new Error(`Cannot use ${child.name}: nothing answers at port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/small`, { signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
