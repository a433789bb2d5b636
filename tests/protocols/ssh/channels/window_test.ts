import { FIRST_WINDOW, Flow, MOST_GROWTH } from "../../../../protocols/ssh/channels/flow.ts";
import { Held } from "../../../../protocols/ssh/channels/held.ts";
import { MOST_WINDOW, Window } from "../../../../protocols/ssh/channels/window.ts";
import { equal, ok } from "../../../support/assert.ts";

const PIECE = 16384;

/** Windows of one connection; what it asks is answered when the test says so. */
class Link {
  readonly flow = new Flow((answered) => this.#asked.push(answered), new Held(2 ** 40));
  asks = 0;
  #asked: (() => void)[] = [];
  #before: (() => void)[] = [];

  window = (): Window => new Window(this.flow, FIRST_WINDOW, () => {});

  /** What was asked before the last call, and at `once` what was asked at all. */
  answer(once = false): void {
    for (const answered of this.#before.splice(0)) answered();
    this.#before = this.#asked.splice(0);
    this.asks += this.#before.length;
    if (once) this.answer();
  }
}

/**
 * A peer that sends what it may in each of so many round trips, and at most so much; what is delivered in one is given
 * back for the next, behind which comes the answer. What the peer may send in the end.
 */
function run(link: Link, window: Window, trips: number, most = Infinity): number {
  let given = window.left;
  for (let trip = 0; trip < trips; trip++) {
    const sent = Math.min(most, Math.floor(given / PIECE) * PIECE);
    let back = 0;
    for (let at = 0; at < sent; at += PIECE) {
      ok(window.took(PIECE));
      back += window.delivered(PIECE);
    }
    link.answer();
    given += back - sent;
  }
  return given;
}

Deno.test("more than the window is too much", () => {
  const window = new Link().window();
  ok(window.took(FIRST_WINDOW));
  ok(!window.took(1));
});

Deno.test("what is not delivered is not given back, and what is comes in a few pieces", () => {
  const window = new Link().window();
  let given = 0, pieces = 0;
  for (let i = 0; i < FIRST_WINDOW / PIECE; i++) {
    ok(window.took(PIECE));
    const back = window.delivered(PIECE);
    given += back;
    if (back > 0) pieces++;
  }
  equal([given, pieces], [FIRST_WINDOW, 4]);
});

Deno.test("a window that is used up in a round trip grows, and not beyond its bound", () => {
  const link = new Link();
  equal(run(link, link.window(), 100), MOST_WINDOW);
});

Deno.test("a window grows while the answer is on its way for long, and stays where it never comes", () => {
  const link = new Link(), window = link.window();
  let given = window.left;
  for (let i = 0; i < 1000; i++) {
    ok(window.took(PIECE));
    given += window.delivered(PIECE) - PIECE;
  }
  equal(given, FIRST_WINDOW);
  link.answer(true);
  ok(run(link, window, 2) > FIRST_WINDOW);
});

Deno.test("a window stays as it is where less than half of it comes in a round trip, and is looked at seldom", () => {
  const link = new Link();
  equal(run(link, link.window(), 4000, 4 * PIECE), FIRST_WINDOW);
  ok(link.asks > 3 && link.asks < 30, String(link.asks));
});

Deno.test("all windows of a connection grow by so much and no more, and what one gives back others may have", () => {
  const link = new Link(), windows = Array.from({ length: 10 }, link.window);
  const sizes = windows.map((window) => run(link, window, 100));
  equal(sizes.reduce((sum, size) => sum + size - FIRST_WINDOW, 0), MOST_GROWTH);
  equal([sizes[0], sizes[9]], [MOST_WINDOW, FIRST_WINDOW]);
  windows[0].release();
  windows[0].release();
  equal(run(link, link.window(), 100), MOST_WINDOW);
});

Deno.test("what is kept is counted until it is delivered or dropped, and beyond the bound who keeps most goes", () => {
  const all = new Held(10 * PIECE), gone: string[] = [], flow = new Flow(() => {}, all);
  const make = (name: string): Window => {
    const window = new Window(flow, FIRST_WINDOW, () => {
      gone.push(name);
      window.drop();
    });
    return window;
  };
  const [small, large] = [make("small"), make("large")];
  for (let i = 0; i < 7; i++) large.took(PIECE);
  for (let i = 0; i < 3; i++) small.took(PIECE);
  equal([all.held, flow.held.held, gone], [10 * PIECE, 10 * PIECE, []]);
  small.delivered(PIECE);
  large.took(PIECE);
  equal([all.held, gone], [10 * PIECE, []]);
  small.took(PIECE);
  equal([all.held, gone], [3 * PIECE, ["large"]]);
  large.took(PIECE); // sent before it knew
  equal([large.delivered(PIECE), all.held], [0, 3 * PIECE]);
  small.drop();
  small.drop();
  equal([all.held, flow.held.held], [0, 0]);
});

Deno.test("among connections the one that keeps most loses its largest channel", () => {
  const all = new Held(10 * PIECE), gone: string[] = [];
  const make = (flow: Flow, name: string): Window => {
    const window = new Window(flow, FIRST_WINDOW, () => {
      gone.push(name);
      window.drop();
    });
    return window;
  };
  const [one, other] = [new Flow(() => {}, all), new Flow(() => {}, all)];
  const [a, b, c] = [make(one, "a"), make(one, "b"), make(other, "c")];
  for (let i = 0; i < 3; i++) ok(a.took(PIECE) && b.took(PIECE));
  for (let i = 0; i < 4; i++) c.took(PIECE);
  b.took(PIECE);
  equal([gone, all.held], [["b"], 7 * PIECE]);
});

Deno.test("what is delivered behind the end of a channel takes nothing from the others", () => {
  const link = new Link(), window = link.window();
  while (link.flow.round % 2 === 0) {
    ok(window.took(PIECE));
    window.delivered(PIECE);
  }
  const all = window.left - window.left % PIECE; // a reader that is slow: what came in the round is kept
  for (let at = 0; at < all; at += PIECE) ok(window.took(PIECE));
  link.answer(true);
  window.release();
  for (let at = 0; at < all; at += PIECE) window.delivered(PIECE);
  equal([window.held, link.flow.left], [0, MOST_GROWTH]);
});
