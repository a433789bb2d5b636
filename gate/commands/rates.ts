/** What happened in a second, from two samples of numbers that only grow. */
import type { ListenerState, LiveConnection, Status } from "../operations.ts";

export interface Before<Sample> {
  readonly sample: Sample;
  /** How long ago it was taken. */
  readonly seconds: number;
}

/** All per second; bytes. */
export interface ListenerRates {
  readonly opened: number;
  readonly failed: number;
  readonly up: number;
  readonly down: number;
}

/** What is counted in batches may seem to fall for a moment. */
function perSecond(now: number, then: number, seconds: number): number {
  return seconds > 0 ? Math.max(0, now - then) / seconds : 0;
}

/** By the listener's name. One that was not there before began with nothing. */
export function listenerRates(now: Status, { sample, seconds }: Before<Status>): Map<string, ListenerRates> {
  const restarted = now.startedAt !== sample.startedAt;
  const then = new Map<string, ListenerState>(
    restarted ? [] : sample.listeners.map((one) => [one.listener, one]),
  );
  const failures = failuresOf(now), failuresThen = restarted ? new Map<string, number>() : failuresOf(sample);
  return new Map(now.listeners.map((one) => {
    const { listener, active, ended, up, down } = one;
    const old = then.get(listener);
    return [listener, {
      opened: perSecond(active + ended, old ? old.active + old.ended : 0, seconds),
      failed: perSecond(failures.get(listener) ?? 0, failuresThen.get(listener) ?? 0, seconds),
      up: perSecond(up, old?.up ?? 0, seconds),
      down: perSecond(down, old?.down ?? 0, seconds),
    }];
  }));
}

function failuresOf({ ended }: Status): Map<string, number> {
  const failures = new Map<string, number>();
  for (const { listener, outcome, count } of ended) {
    if (outcome !== "ok") failures.set(listener, (failures.get(listener) ?? 0) + count);
  }
  return failures;
}

export interface ConnectionRates {
  readonly up: number;
  readonly down: number;
}

/** Bytes per second, by id. A connection that is new since then began with nothing. */
export function connectionRates(
  now: readonly LiveConnection[],
  { sample, seconds }: Before<readonly LiveConnection[]>,
): Map<number, ConnectionRates> {
  const then = new Map(sample.map((one) => [one.id, one]));
  return new Map(now.map(({ id, up, down, began }) => {
    const known = then.get(id);
    const old = known?.began === began ? known : undefined; // a gate that started again counts from 1
    return [id, {
      up: perSecond(up, old?.up ?? 0, seconds),
      down: perSecond(down, old?.down ?? 0, seconds),
    }];
  }));
}
