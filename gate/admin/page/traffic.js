/** How much happens: rates between one status and the next. */
import { bytes, count, digits } from "./format.js";
import { Tile } from "./sparkline.js";

const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);

/** What only grows, of a status. */
const measure = (status) => ({
  begun: status.connections + sum(status.ended, ({ count }) => count),
  requests: sum(status.requests, ({ statuses }) => sum(Object.values(statuses), (count) => count)),
  failed: sum(status.ended, ({ outcome, count }) => outcome === "ok" ? 0 : count),
  up: sum(status.listeners, ({ up }) => up),
  down: sum(status.listeners, ({ down }) => down),
});

const perSecond = ([value, unit]) => [value, `${unit}/s`];

export class Traffic {
  #tiles;
  #last;

  constructor(list) {
    this.#tiles = {
      now: new Tile(list, "Connections"),
      begun: new Tile(list, "New connections"),
      requests: new Tile(list, "Requests"),
      failed: new Tile(list, "Failures"),
      up: new Tile(list, "From clients"),
      down: new Tile(list, "To clients"),
    };
  }

  /** The next status is compared to nothing. */
  forget() {
    this.#last = undefined;
    for (const tile of Object.values(this.#tiles)) tile.forget();
  }

  /** `at`: when it was asked for, ms. */
  show(status, at) {
    const { now, begun, requests, failed, up, down } = this.#tiles;
    const measured = measure(status), last = this.#last;
    now.show([count(status.connections), ""], status.connections);
    if (last) {
      const seconds = Math.max(0.001, (at - last.at) / 1000);
      // A listener that is gone takes its bytes along: no rate is below 0.
      const rate = (name) => Math.max(0, measured[name] - last.measured[name]) / seconds;
      begun.show([digits(rate("begun")), "/s"], rate("begun"));
      requests.show([digits(rate("requests")), "/s"], rate("requests"));
      failed.show([digits(rate("failed")), "/s"], rate("failed"));
      up.show(perSecond(bytes(rate("up"))), rate("up"));
      down.show(perSecond(bytes(rate("down"))), rate("down"));
    }
    this.#last = { at, measured };
  }
}
