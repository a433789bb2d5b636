/** Takes samples of a gate again and again, and shows each: in place on a terminal, else one after the other. */
import { causeChain, GateError } from "../errors.ts";
import { outputSize, Screen, type Size } from "./screen.ts";
import { visible } from "../visible.ts";

export interface Watching<Sample> {
  /** ms from one sample to the next. */
  readonly interval: number;
  /** What it throws as a GateError is shown, and the next sample may be there again; the first one's is thrown. */
  take(signal: AbortSignal): Promise<Sample>;
  /** `before`: the sample taken `seconds` ago; absent for the first one. */
  show(
    sample: Sample,
    before: { readonly sample: Sample; readonly seconds: number } | undefined,
    size: Size,
  ): string[];
}

interface Taken<Sample> {
  readonly sample: Sample;
  /** ms of a clock that never goes back. */
  readonly at: number;
}

/** Until `q`, Ctrl-C or a signal, or where stdout is no terminal until nobody reads it any more. */
export async function watch<Sample>(watching: Watching<Sample>): Promise<void> {
  if (Deno.stdout.isTerminal()) await watchInPlace(watching);
  else await watchInLines(watching);
}

/** Two samples, `ms` apart: what a rate needs. */
export async function sampleTwice<Sample>(take: () => Promise<Sample>, ms: number) {
  const first = { sample: await take(), at: performance.now() };
  await pause(ms);
  const sample = await take();
  return { sample, before: { sample: first.sample, seconds: (performance.now() - first.at) / 1000 } };
}

async function watchInPlace<Sample>({ take, show, interval }: Watching<Sample>): Promise<void> {
  let last: Taken<Sample> = await taken(take, new AbortController().signal);
  let before: Taken<Sample> | undefined, fault = "";
  const draw = () =>
    screen.draw([...fault ? [fault] : [], ...show(last.sample, sinceOf(before, last), terminal())]);
  const terminal = () => {
    const { columns, rows } = outputSize();
    return { columns, rows: rows - (fault ? 1 : 0) };
  };
  using screen = new Screen(draw);
  const { ended } = screen;
  while (!ended.aborted) {
    draw();
    await pause(interval, ended);
    if (ended.aborted) return;
    try {
      const next = await taken(take, ended);
      [before, last, fault] = [last, next, ""];
    } catch (thrown) {
      if (ended.aborted) return;
      if (!(thrown instanceof GateError)) throw thrown;
      fault = visible(causeChain(thrown));
    }
  }
}

async function watchInLines<Sample>({ take, show, interval }: Watching<Sample>): Promise<void> {
  const { signal } = new AbortController(); // whoever reads ends it
  let before: Taken<Sample> | undefined;
  for (;;) {
    const next = await taken(take, signal);
    const lines = show(next.sample, sinceOf(before, next), outputSize());
    if (!await written(`${lines.join("\n")}\n`)) return;
    before = next;
    await pause(interval);
  }
}

async function taken<Sample>(take: Watching<Sample>["take"], signal: AbortSignal): Promise<Taken<Sample>> {
  return { sample: await take(signal), at: performance.now() };
}

function sinceOf<Sample>(before: Taken<Sample> | undefined, { at }: Taken<Sample>) {
  return before && { sample: before.sample, seconds: (at - before.at) / 1000 };
}

/** false: nobody reads any more. */
async function written(text: string): Promise<boolean> {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.BrokenPipe) return false;
    throw thrown;
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}
