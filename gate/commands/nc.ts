/** `ugate nc`: stdin and stdout are one connection through a gate, as ssh's ProxyCommand wants it. */
import { formatTarget, type Target } from "../address.ts";
import { LogWriter } from "../log_writer.ts";
import { visible } from "../visible.ts";
import { startThrough, type ThroughOptions } from "./through.ts";

/** What the log tells of the one connection. */
interface Outcome {
  readonly outcome: string;
  readonly cause?: string;
}

/** Of the socket between both threads. */
const NAME = "nc", SOCKET = "connection";
const PIECE = 65536;

/** The exit code: 0 where both directions came to their end. */
export async function nc(target: Target, options: ThroughOptions): Promise<number> {
  await using cleanup = new AsyncDisposableStack();
  const ended = Promise.withResolvers<Outcome>();
  const log = logTo((outcome) => ended.resolve(outcome));
  const folder = await Deno.makeTempDir({ prefix: "ugate-nc-" }); // nobody else comes into it
  let connection: Deno.UnixConn;
  try {
    const path = `${folder}/${SOCKET}`;
    const service = await startThrough(
      options,
      [{ name: NAME, address: { host: `unix:${path}`, port: 0 }, to: target }],
      log,
      cleanup,
    );
    void service.broken.then((reason) => ended.resolve({ outcome: reason.failure, cause: reason.message }));
    connection = await Deno.connect({ transport: "unix", path });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  cleanup.defer(() => connection.close());
  void send(connection);
  const [{ outcome, cause }, heard] = await Promise.all([ended.promise, receive(connection)]);
  if (outcome === "ok" && heard === undefined) return 0;
  console.error(`ugate: ${visible(cause ?? heard ?? `Cannot reach ${formatTarget(target)}: ${outcome}`)}`);
  return 1;
}

/** Up to the end of stdin, which is passed on. Whatever fails here ends the connection, and the log tells of that. */
async function send(connection: Deno.UnixConn): Promise<void> {
  const bytes = new Uint8Array(PIECE);
  try {
    for (let size; (size = await Deno.stdin.read(bytes)) !== null;) {
      for (let at = 0; at < size;) at += await connection.write(bytes.subarray(at, size));
    }
    await connection.closeWrite();
  } catch { // the other side is gone
  }
}

/** Up to the end; stdout is closed with it. What went wrong, in a sentence. */
async function receive(connection: Deno.UnixConn): Promise<string | undefined> {
  const bytes = new Uint8Array(PIECE);
  let size: number | null = 0;
  while (size !== null) {
    try {
      size = await connection.read(bytes);
    } catch { // a reset, of which the log tells
      return undefined;
    }
    try {
      for (let at = 0; size !== null && at < size;) at += await Deno.stdout.write(bytes.subarray(at, size));
    } catch {
      connection.close();
      return "Cannot go on: nobody reads stdout";
    }
  }
  Deno.stdout.close();
  return undefined;
}

/** Lines of the log: that of the connection is an outcome, warnings are for people. */
function logTo(told: (outcome: Outcome) => void): LogWriter {
  const decoder = new TextDecoder();
  let rest = "";
  return new LogWriter((bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const { event, level, message, outcome, cause } = JSON.parse(line);
      if (event === "connection") told({ outcome, cause });
      else if (level !== "info") console.error(`ugate: ${message}`);
    }
    return Promise.resolve(bytes.length);
  }, (lines) => `{"event":"log-lost","level":"warn","message":"${lines} lines are lost"}\n`);
}
