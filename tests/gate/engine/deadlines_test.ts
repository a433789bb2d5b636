import { Deadlines } from "../../../gate/engine/deadlines.ts";
import { equal } from "../../support/assert.ts";

class Owner {
  times = 0;
  expired(): void {
    this.times++;
  }
}

Deno.test("an owner is told once, when its time is over, and again only after a new deadline", () => {
  const deadlines = new Deadlines(), owner = new Owner();
  const slot = deadlines.claim(owner);
  deadlines.sweep(1000);
  equal(owner.times, 0);
  deadlines.set(slot, 50);
  deadlines.sweep(49);
  equal(owner.times, 0);
  deadlines.sweep(50);
  deadlines.sweep(60);
  equal(owner.times, 1);
  deadlines.set(slot, 70);
  deadlines.set(slot, 0);
  deadlines.sweep(80);
  equal(owner.times, 1);
});

Deno.test("a released slot tells nobody, and the next owner starts without a deadline", () => {
  const deadlines = new Deadlines(), first = new Owner(), second = new Owner();
  const slot = deadlines.claim(first);
  deadlines.set(slot, 10);
  deadlines.release(slot);
  equal(deadlines.claim(second), slot);
  deadlines.sweep(100);
  equal([first.times, second.times], [0, 0]);
});

Deno.test("thousands of owners each keep their own deadline", () => {
  const deadlines = new Deadlines();
  const owners = Array.from({ length: 5000 }, () => new Owner());
  owners.forEach((owner, i) => deadlines.set(deadlines.claim(owner), i + 1));
  deadlines.sweep(2500);
  equal(owners.filter(({ times }) => times === 1).length, 2500);
  equal(owners[2499].times + owners[2500].times, 1);
});

Deno.test("an owner that releases another one while it is told keeps it from being told", () => {
  const deadlines = new Deadlines(), other = new Owner();
  const slot = deadlines.claim({ expired: () => deadlines.release(otherSlot) });
  const otherSlot = deadlines.claim(other);
  deadlines.set(slot, 1);
  deadlines.set(otherSlot, 1);
  deadlines.sweep(1);
  equal(other.times, 0);
});

Deno.test("who claims a slot from inside a sweep that makes them more is not told in it", () => {
  const deadlines = new Deadlines(), late = new Owner();
  let told = 0;
  const first = deadlines.claim({
    expired: () => {
      told++;
      deadlines.set(deadlines.claim(late), 1000);
    },
  });
  for (let i = 1; i < 256; i++) deadlines.claim(new Owner()); // as many as fit before it grows
  deadlines.set(first, 1);
  deadlines.sweep(1);
  deadlines.sweep(2);
  equal([told, late.times], [1, 0]);
});
