/** `ugate forward`: ports of this machine that lead through a gate, until a signal ends it. */
import { LogWriter } from "../log_writer.ts";
import { Signals } from "./signals.ts";
import { type Entrance, startThrough, type ThroughOptions } from "./through.ts";

const FLUSH_TIME = 500;

/** The exit code. */
export async function forward(entrances: readonly Entrance[], options: ThroughOptions): Promise<number> {
  await using cleanup = new AsyncDisposableStack();
  const writer = new LogWriter((bytes) => Deno.stderr.write(bytes), () => "");
  cleanup.defer(() => writer.flush(FLUSH_TIME));
  const numbered = entrances.map((entrance, i) => ({ ...entrance, name: `${i + 1}` }));
  const service = await startThrough(options, numbered, writer, cleanup);
  const say = (_level: string, _event: string, text: string) => console.error(`ugate: ${text}`);
  const signals = cleanup.use(
    new Signals(() => {}, { log: { say, writer }, connections: () => service.present }),
  );
  for (const { listener, address } of service.listening) {
    const { name } = entrances[Number(listener) - 1];
    console.log(`${address}  ${name}`);
  }
  console.log("ready");
  const broken = await Promise.race([signals.ending, service.broken]);
  if (broken !== undefined) throw broken;
  await service.drain();
  return 0;
}
