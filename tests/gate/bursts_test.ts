import { Bursts } from "../../gate/bursts.ts";
import { equal } from "../support/assert.ts";

const BEGIN = Date.UTC(2026, 0, 1);
const SINCE = "2026-01-01T00:00:00.000Z";

/** What is told when one limit is hit at these seconds, so often each, and a second's tick lies between. */
function told(hits: Readonly<Record<number, number>>, seconds: number): [second: number, text: string][] {
  const bursts = new Bursts(), lines: [number, string][] = [];
  for (let second = 0; second <= seconds; second++) {
    const now = BEGIN + second * 1000;
    const messages = hits[second] ? bursts.hit([["perSource", hits[second]]], now) : [];
    for (const { text } of [...messages, ...bursts.tick(now)]) lines.push([second, text]);
  }
  return lines;
}

Deno.test("a burst is one line when it begins, and one when it is over", () => {
  equal(told({ 0: 3, 1: 40, 9: 7 }, 100), [
    [0, "limit perSource was hit 3 times"],
    [19, `limit perSource was hit 50 times since ${SINCE}, the last time 10 s ago`],
  ]);
});

Deno.test("what one line told wholly is not told again", () => {
  equal(told({ 0: 1 }, 100), [[0, "limit perSource was hit once"]]);
});

Deno.test("a burst that goes on is told once a minute", () => {
  const hits = Object.fromEntries(Array.from({ length: 131 }, (_, second) => [second, 1]));
  equal(told(hits, 300), [
    [0, "limit perSource was hit once"],
    [60, `limit perSource was hit 61 times since ${SINCE}, and still is`],
    [120, `limit perSource was hit 121 times since ${SINCE}, and still is`],
    [140, `limit perSource was hit 131 times since ${SINCE}, the last time 10 s ago`],
  ]);
});

Deno.test("after a burst the next one begins, also where no tick came between", () => {
  const bursts = new Bursts();
  const hit = (times: number, seconds: number) =>
    bursts.hit([["connections", times]], BEGIN + seconds * 1000).map(({ text }) => text);
  equal(hit(1, 0), ["limit connections was hit once"]);
  equal(hit(1, 1), []);
  equal(hit(5, 30), [
    `limit connections was hit 2 times since ${SINCE}, the last time 29 s ago`,
    "limit connections was hit 5 times",
  ]);
});

Deno.test("each limit has bursts of its own, and its numbers as fields", () => {
  const bursts = new Bursts();
  equal(
    bursts.hit([["perSource", 2], ["descriptors", 1]], BEGIN).map(({ level, event, fields }) => (
      { level, event, ...fields }
    )),
    [
      { level: "warn", event: "limit", limit: "perSource", times: 2, since: SINCE },
      { level: "warn", event: "limit", limit: "descriptors", times: 1, since: SINCE },
    ],
  );
  bursts.hit([["descriptors", 1]], BEGIN + 9000);
  equal(bursts.tick(BEGIN + 10_000), []);
  equal(bursts.tick(BEGIN + 19_000).map(({ fields }) => fields), [
    { limit: "descriptors", times: 2, since: SINCE },
  ]);
});
