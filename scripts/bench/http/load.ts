/** The load: wrk for requests, `openssl s_time` for handshakes, and what they print as numbers. */
import { find } from "../../clients.ts";

export interface Requested {
  readonly requests: number;
  readonly seconds: number;
  /** Requests that failed: no answer, or none of 2xx. */
  readonly failures: number;
  /** us */
  readonly p50: number;
  readonly p99: number;
}

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request. */
  readonly fresh?: boolean;
  /** Octets that go with each request. */
  readonly upload?: number;
}

/** Runs wrk, which sends as fast as it is answered. */
export async function request(load: Load): Promise<Requested> {
  const { url, connections, seconds, fresh, upload } = load;
  const script = upload === undefined ? undefined : await uploadScript(upload);
  try {
    const args = ["-t1", `-c${connections}`, `-d${Math.ceil(seconds)}s`, "--latency", "--timeout", "10s"];
    if (fresh) args.push("-H", "Connection: close");
    if (script) args.push("-s", script);
    return readWrk(await run("wrk", [...args, url]));
  } finally {
    if (script) await Deno.remove(script);
  }
}

async function uploadScript(octets: number): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".lua" });
  await Deno.writeTextFile(file, `wrk.method = "POST"\nwrk.body = string.rep("x", ${octets})\n`);
  return file;
}

const US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000, m: 60_000_000 };

/** Throws where it is not what wrk prints. */
export function readWrk(text: string): Requested {
  const found = (pattern: RegExp): RegExpExecArray => {
    const match = pattern.exec(text);
    if (!match) throw new Error(`Cannot read what wrk printed: ${text}`);
    return match;
  };
  const time = (share: string) => {
    const [, number, unit] = found(new RegExp(`^ +${share}% +([\\d.]+)(us|ms|s|m)$`, "m"));
    return Number(number) * US[unit];
  };
  const [, requests, number, unit] = found(/^ +(\d+) requests in ([\d.]+)(ms|s|m),/m);
  const errors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0;
  return {
    requests: Number(requests),
    seconds: Number(number) * US[unit] / US.s,
    failures: [...errors, refused].reduce((sum: number, count) => sum + Number(count), 0),
    p50: time("50"),
    p99: time("99"),
  };
}

/** How many handshakes one client after the other makes; `resumed`: with the session of the first. */
export async function shakeHands(port: number, seconds: number, resumed: boolean): Promise<number> {
  // Under TLS 1.3 its tickets come behind the handshake, and s_time takes none of them.
  const kind = resumed ? ["-reuse", "-tls1_2"] : ["-new"];
  const args = ["s_time", "-connect", `127.0.0.1:${port}`, "-time", String(Math.ceil(seconds)), ...kind];
  return readTimes(await run("openssl", args), resumed);
}

/** Throws where it is not what `openssl s_time` prints. */
export function readTimes(text: string, resumed: boolean): number {
  const counts = Array.from(text.matchAll(/^(\d+) connections in [\d.]+s;/gm), ([, count]) => Number(count));
  if (counts.length === 0) throw new Error(`Cannot read what openssl printed: ${text.slice(-500)}`);
  const letters = /^[rt*]+$/gmi.exec(text)?.[0] ?? "";
  if (resumed && !letters.includes("r")) throw new Error("Cannot measure: no session is resumed");
  return counts[0];
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(find(program)!, { args: [...args], stderr: "piped" }).output();
  const [said, complaint] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!output.success) throw new Error(`Cannot measure: ${program} failed: ${complaint.slice(-500)}`);
  return said + complaint;
}
