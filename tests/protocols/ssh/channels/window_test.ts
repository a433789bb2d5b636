import { FIRST_WINDOW, Growth, MOST_WINDOW, Window } from "../../../../protocols/ssh/channels/window.ts";
import { equal, ok } from "../../../support/assert.ts";

const PIECE = 16384;
const windowOf = (roundTrip: number) => new Window(new Growth(roundTrip), 0);

/** A peer that sends what it may, and at most so much; all of it is delivered `delay` ms later: the window in the end. */
function run(window: Window, rounds: number, delay: number, most = Infinity): number {
  let given = FIRST_WINDOW;
  for (let at = delay; at <= rounds * delay; at += delay) {
    let sent = 0;
    for (; given >= PIECE && sent < most; sent += PIECE) {
      ok(window.took(PIECE));
      given -= PIECE;
    }
    for (; sent > 0; sent -= PIECE) given += window.delivered(PIECE, at);
  }
  return given;
}

Deno.test("more than the window is too much", () => {
  const window = windowOf(1);
  ok(window.took(FIRST_WINDOW));
  ok(!window.took(1));
});

Deno.test("what is not delivered is not given back, and what is comes in a few pieces", () => {
  const window = windowOf(1);
  let given = 0, pieces = 0;
  for (let i = 0; i < FIRST_WINDOW / PIECE; i++) {
    ok(window.took(PIECE));
    const back = window.delivered(PIECE, i * 1000);
    given += back;
    if (back > 0) pieces++;
  }
  equal([given, pieces], [FIRST_WINDOW, 4]);
});

Deno.test("a window grows where what is delivered in a round trip fills it, and not beyond its bound", () => {
  equal(run(windowOf(100), 100, 100), MOST_WINDOW);
  equal(run(windowOf(0.5), 100, 100), FIRST_WINDOW);
  equal(run(windowOf(100), 100, 100, 4 * PIECE), FIRST_WINDOW); // a slow peer
});

Deno.test("all windows of a connection grow by so much and no more, and what one gives back others may have", () => {
  const growth = new Growth(100), windows = Array.from({ length: 10 }, () => new Window(growth, 0));
  const sizes = windows.map((window) => run(window, 100, 100));
  equal(sizes.reduce((sum, size) => sum + size - FIRST_WINDOW, 0), 2 ** 26);
  equal([sizes[0], sizes[9]], [MOST_WINDOW, FIRST_WINDOW]);
  windows[0].release();
  windows[0].release();
  equal(run(new Window(growth, 0), 100, 100), MOST_WINDOW);
});
