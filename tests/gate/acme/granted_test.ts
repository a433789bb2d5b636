/** Which of the names that nodes register get certificates: a test of its own thread's time. */
import { GrantedNames, MOST_GRANTED } from "../../../gate/acme/granted.ts";
import { Pace } from "../../../gate/acme/schedule.ts";
import type { Configuration } from "../../../gate/config/configuration.ts";
import type { LiveRow } from "../../../gate/mesh/live_names.ts";
import { equal } from "../../support/assert.ts";

const row = (name: string, port: number): LiveRow => ({
  id: 1,
  connection: 1,
  engine: 0,
  names: [name, `${name}.else`],
  port,
});
const config = (more: Record<string, unknown> = {}, domain = "mesh.example.com"): Configuration =>
  ({
    node: { domain },
    certificates: [],
    acme: { directory: "https://ca.example", names: [], challenges: ["http-01"], ...more },
  }) as unknown as Configuration;

/** What is registered, and what became of that when it was looked at. */
class Stage implements Disposable {
  rows: LiveRow[] = [];
  crowded = 0;
  #looked = Promise.withResolvers<void>();
  #told = () => {};
  readonly names = new GrantedNames({
    rows: () => this.rows,
    onRegistered: (told) => {
      this.#told = told;
      return { [Symbol.dispose]: () => {} };
    },
    changed: () => this.#looked.resolve(),
    crowded: () => void this.crowded++,
  });

  /** Registered one by one; resolves when there are new names. */
  async register(...rows: LiveRow[]): Promise<void> {
    this.#looked = Promise.withResolvers();
    for (const one of rows) {
      this.rows.push(one);
      this.#told();
    }
    await this.#looked.promise;
  }

  [Symbol.dispose](): void {
    this.names[Symbol.dispose]();
  }
}

Deno.test("names with port 80 alone are wanted from their registration on, and after it; others never", async () => {
  using stage = new Stage();
  equal(stage.names.namesFor(config()), []);
  await stage.register(
    row("both.mesh.example.com", 80), // its 443 comes right behind
    row("both.mesh.example.com", 443),
    row("secure.mesh.example.com", 443),
    row("pi.mesh.example.com", 80),
    row("key.h.mesh.internal", 80),
  );
  equal(stage.names.namesFor(config()), ["pi.mesh.example.com"]);
  stage.rows = [];
  equal(stage.names.namesFor(config()), ["pi.mesh.example.com"]);
});

Deno.test("what is written, what a file is for, and what nobody could certify is not wanted twice", async () => {
  using stage = new Stage();
  await stage.register(row("pi.mesh.example.com", 80));
  equal(stage.names.namesFor(config({ names: ["pi.mesh.example.com"] })), []);
  equal(stage.names.namesFor(config({ challenges: [] })), []);
  equal(stage.names.namesFor(config({}, "")), []);
  equal(stage.names.namesFor(config({}, "other.example")), []);
  const files = { certificates: [{ names: ["*.mesh.example.com"] }] };
  equal(stage.names.namesFor({ ...config(), ...files } as unknown as Configuration), []);
});

Deno.test("they are bounded: who is there stays, who is gone gives way", async () => {
  using stage = new Stage();
  const many = Array.from({ length: MOST_GRANTED + 5 }, (_, i) => row(`n${i}.mesh.example.com`, 80));
  await stage.register(...many);
  equal([stage.names.namesFor(config()).length, stage.crowded], [MOST_GRANTED, 1]);
  stage.rows = many.slice(1, MOST_GRANTED);
  await stage.register(row("late.mesh.example.com", 80));
  const names = stage.names.namesFor(config());
  equal([names.length, names.includes("n0.mesh.example.com"), names.includes("late.mesh.example.com")], [
    MOST_GRANTED,
    false,
    true,
  ]);
});

Deno.test("orders that nodes bring about are twenty at once, then one at a time", () => {
  const pace = new Pace(), at = (now: number) => pace.next(now) - now, now = 1e12;
  equal(Array.from({ length: 20 }, () => at(now)), Array(20).fill(0));
  equal([at(now), at(now)], [600_000, 1_200_000]);
  equal(at(now + 24 * 3_600_000), 0);
});
