import { type Column, table } from "../../../gate/commands/table.ts";
import { columnsOf } from "../../../gate/visible.ts";
import { equal, ok } from "../../support/assert.ts";

interface Row {
  readonly name: string;
  readonly size: number;
  readonly note?: string;
  readonly extra?: string;
}

const COLUMNS: Column<Row>[] = [
  { title: "NAME", cell: ({ name }) => name, least: 6 },
  { title: "SIZE", cell: ({ size }) => String(size), right: true },
  { title: "NOTE", cell: ({ note }) => note ?? "", spare: 1, least: 5 },
  { title: "EXTRA", cell: ({ extra }) => extra ?? "", spare: 2 },
];
const ROWS: Row[] = [
  { name: "a-long-name", size: 5, note: "something", extra: "x" },
  { name: "日本", size: 12345 },
];

Deno.test("numbers stand right, nothing is a dash, and without a bound nothing is cut", () => {
  equal(table(COLUMNS, ROWS), [
    "NAME          SIZE  NOTE       EXTRA",
    "a-long-name      5  something  x",
    "日本         12345  -          -",
  ]);
});

Deno.test("a column with nothing in it is left out", () => {
  equal(table(COLUMNS, [{ name: "a", size: 1 }]), ["NAME  SIZE", "a        1"]);
});

Deno.test("where it is narrow the widest is cut first, then what is spare is left out", () => {
  equal(table(COLUMNS, ROWS, 31), [
    "NAME      SIZE  NOTE      EXTRA",
    "a-long…      5  somethi…  x",
    "日本     12345  -         -",
  ]);
  equal(table(COLUMNS, ROWS, 21), [
    "NAME     SIZE  NOTE",
    "a-lon…      5  somet…",
    "日本    12345  -",
  ]);
  equal(table(COLUMNS, ROWS, 14), [
    "NAME      SIZE",
    "a-long…      5",
    "日本     12345",
  ]);
});

Deno.test("no line is wider than the terminal, whatever is in it", () => {
  const rows = [...ROWS, {
    name: "\x1b[31m".repeat(9),
    size: 1e15,
    note: "ü".repeat(99),
    extra: "👍".repeat(40),
  }];
  for (let width = 1; width < 150; width++) {
    const wide = table(COLUMNS, rows, width).filter((line) =>
      columnsOf(line) > width || line.includes("\x1b")
    );
    equal(wide, [], String(width));
  }
  ok(table(COLUMNS, rows)[3].includes("\\x1b[31m"));
});
