/** What is measured of an HTTP server: a load at one of its entrances, and its CPU time around it. */
import type { Figure } from "../table.ts";
import type { HttpContender } from "./contenders.ts";
import { type Load, request, shakeHands } from "./load.ts";
import type { Entrance } from "./servers.ts";

export interface HttpMeasurement {
  readonly name: string;
  measure(who: HttpContender, seconds: number): Promise<Figure[]>;
}

/** Octets of what is big, and connections that carry it. */
const BIG = 1 << 20, CARRYING = 8;

type Tells = "requests" | "latency" | "bulk";

const ENTRANCES: readonly Entrance[] = ["clear", "tls"];
const SCHEMES = { clear: "http", tls: "https" } as const;

const under = (entrance: Entrance) => entrance === "tls" ? "TLS" : "in clear";

const loads = (
  what: string,
  tells: Tells,
  path: string,
  load: Omit<Load, "url" | "seconds">,
): HttpMeasurement[] =>
  ENTRANCES.map((entrance) => {
    const name = `${what}, ${under(entrance)}`;
    return {
      name,
      measure: (who, seconds) => measureLoad({ name, entrance, path, tells, load }, who, seconds),
    };
  });

const handshakes = (resumed: boolean): HttpMeasurement => {
  const name = `${resumed ? "resumed (TLS 1.2)" : "full"} handshakes`;
  return {
    name,
    async measure({ ports, child }, seconds) {
      const before = child.cpu(), count = await shakeHands(ports.tls, seconds, resumed);
      return [{ name, unit: "1/CPU s", value: count / (child.cpu() - before) }];
    },
  };
};

const small = (connections: number): HttpMeasurement[] => {
  const what = `small, ${connections} connection${connections > 1 ? "s" : ""}`;
  return loads(what, connections > 1 ? "requests" : "latency", "/small", { connections });
};

export const HTTP_MEASUREMENTS: readonly HttpMeasurement[] = [
  ...[1, 32, 256].flatMap(small),
  ...loads("1 MiB down", "bulk", "/big", { connections: CARRYING }),
  ...loads("1 MiB up", "bulk", "/upload", { connections: CARRYING, upload: BIG }),
  ...loads("connection per request", "requests", "/small", { connections: 32, fresh: true }),
  handshakes(false),
  handshakes(true),
];

interface Measured {
  readonly name: string;
  readonly entrance: Entrance;
  readonly path: string;
  readonly tells: Tells;
  readonly load: Omit<Load, "url" | "seconds">;
}

/** Throws where one request of 100 failed. */
async function measureLoad(
  { name, entrance, path, tells, load }: Measured,
  { name: who, ports, child }: HttpContender,
  seconds: number,
): Promise<Figure[]> {
  const url = `${SCHEMES[entrance]}://127.0.0.1:${ports[entrance]}${path}`;
  const before = child.cpu(), done = await request({ ...load, url, seconds });
  const spent = child.cpu() - before, { requests, failures, p50, p99 } = done;
  if (failures > requests / 100) {
    throw new Error(`Cannot measure ${name} of ${who}: ${failures} of ${requests} requests failed`);
  }
  const figure = (unit: string, value: number): Figure => ({ name, unit, value });
  const cpu = figure("CPU us each", spent / requests * 1e6);
  if (tells === "latency") return [figure("p50 us", p50), cpu];
  if (tells === "requests") return [figure("1/s", requests / done.seconds), figure("p99 us", p99), cpu];
  const octets = requests * BIG;
  return [figure("Gbit/s", octets * 8 / 1e9 / done.seconds), figure("CPU s/GB", spent / (octets / 1e9))];
}
