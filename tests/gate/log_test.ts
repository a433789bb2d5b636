import { LOG_LEVELS as CONFIGURED } from "../../gate/config/configuration.ts";
import { LOG_EVENTS, LOG_FIELDS, LOG_LEVELS, NUMBER_FIELDS } from "../../gate/log.ts";
import { equal } from "../support/assert.ts";
import { tableUnder } from "../support/operating.ts";

const rows = (table: Readonly<Record<string, string>>) =>
  Object.entries(table).map(([name, meaning]) => [`\`${name}\``, meaning]);

Deno.test("docs/operating.md has every level, event and field of the log, and no other", () => {
  const numbers: readonly string[] = NUMBER_FIELDS;
  equal(tableUnder("Levels"), rows(LOG_LEVELS));
  equal(tableUnder("Events"), rows(LOG_EVENTS));
  equal(
    tableUnder("Fields"),
    Object.entries(LOG_FIELDS).map((
      [name, meaning],
    ) => [`\`${name}\``, numbers.includes(name) ? "number" : "text", meaning]),
  );
});

Deno.test("the levels of the log are those that can be configured", () => {
  equal(Object.keys(LOG_LEVELS).sort(), [...CONFIGURED].sort());
});
