/** The HTTP part of the bench: every server in turn, round by round, in front of one backend. */
import type { Results } from "../table.ts";
import { type HttpContender, makeFiles, startBackend, startHttp } from "./contenders.ts";
import { HTTP_MEASUREMENTS, type HttpMeasurement } from "./measure.ts";
import { HTTP_SERVERS, type HttpServer } from "./servers.ts";

/** Seconds of requests before anything counts. */
const WARM_UP = 1;

export interface HttpOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
}

/** What there is to measure whose name has this text. */
export const httpMeasurements = (only: string): readonly HttpMeasurement[] =>
  HTTP_MEASUREMENTS.filter(({ name }) => name.includes(only));

/** Those of the asked servers that are here; the others are told. */
export function httpServers(who: readonly string[], results: Results): HttpServer[] {
  return HTTP_SERVERS.filter((server) => {
    if (!who.includes(server.name)) return false;
    const why = server.absent();
    if (why !== undefined) results.leftOut.set(server.name, why);
    return why === undefined;
  });
}

/** What cannot be measured is left out and told. */
export async function underRequests(
  list: readonly HttpMeasurement[],
  servers: readonly HttpServer[],
  results: Results,
  { rounds, seconds, progress }: HttpOptions,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.chmod(folder, 0o755);
  const files = await makeFiles(folder);
  const backend = stack.use(await startBackend(files));
  const contenders: HttpContender[] = [backend];
  for (const server of servers) {
    progress(`starting ${server.name}`);
    await results.attempt("requests", server.name, async () => {
      contenders.push(stack.use(await startHttp(server, backend.ports.clear, files)));
      return [];
    });
  }
  for (const what of list) {
    for (const who of contenders) {
      progress(`warming up ${who.name}: ${what.name}`);
      await results.attempt(what.name, who.name, async () => (await what.measure(who, WARM_UP), []));
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const what of list) {
      progress(`round ${round} of ${rounds}: ${what.name}`);
      for (const who of contenders) {
        await results.attempt(what.name, who.name, () => what.measure(who, seconds));
      }
    }
  }
}
