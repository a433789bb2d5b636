/** Assertions with short names; node:assert does the work. */
import assert from "node:assert/strict";
import { GateError } from "../../gate/errors.ts";

export const equal: <T>(actual: T, expected: T, message?: string) => void = assert.deepStrictEqual;

export function ok(value: unknown, message?: string): asserts value {
  assert.ok(value, message);
}

/** `act` throws an error whose message matches. */
export function throws(act: () => unknown, message: RegExp): void {
  assert.throws(act, (e) => e instanceof Error && message.test(e.message));
}

/** The promise rejects with an error whose message matches. */
export async function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (e) => e instanceof Error && message.test(e.message));
}

/** The promise rejects with a GateError of this failure. */
export async function fails(promise: Promise<unknown>, failure: string): Promise<void> {
  await assert.rejects(promise, (e) => {
    if (!(e instanceof GateError)) throw e;
    assert.equal(e.failure, failure, e.message);
    return true;
  });
}
