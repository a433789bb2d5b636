import { DAY, pauseAfter, renewalTime } from "../../../gate/acme/schedule.ts";
import { equal, ok } from "../../support/assert.ts";

Deno.test("a certificate is renewed at two thirds of its time, or up to a twentieth earlier, always at the same time", () => {
  const life = { notBefore: 1000 * DAY, notAfter: 1090 * DAY };
  const at = (fingerprint: string) => (renewalTime({ ...life, fingerprint }) - life.notBefore) / DAY;
  equal(at("00000000"), 60);
  ok(at("ffffffff") > 55.49 && at("ffffffff") < 55.51);
  equal(at("12345678ff"), at("1234567800"));
  ok(at("12345678") > at("87654321"));
});

Deno.test("pauses double from 5 minutes up to a day, with chance, and an authority may want longer ones", () => {
  const minutes = (failures: number, asked?: number, chance = 1) =>
    pauseAfter(failures, asked, chance) / 60_000;
  equal([1, 2, 3, 9, 10, 1000].map((failures) => minutes(failures)), [5, 10, 20, 1280, 1440, 1440]);
  equal(minutes(1, 0, 0), 3.75);
  equal([minutes(1, 60_000), minutes(1, 3_600_000), minutes(1, 1e12)], [5, 60, 7 * 1440]);
});
