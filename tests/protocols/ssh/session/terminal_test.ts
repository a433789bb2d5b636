import { Terminal } from "../../../../protocols/ssh/session/terminal.ts";
import { encoded, Reader } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";

function told(kind: string, columns: number, rows: number): Terminal {
  const bytes = encoded((to) => to.text(kind).uint32(columns).uint32(rows).uint32(0).uint32(0).text("\0"));
  return Terminal.read(new Reader(bytes))!;
}

Deno.test("a frame is drawn by what is different from the one before", () => {
  const terminal = told("xterm", 80, 24);
  equal(terminal.draw(["a", "b"]), "\x1b[H\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1Hb\x1b[K\x1b[3;1H\x1b[J");
  equal(terminal.draw(["a", "b"]), "");
  equal(terminal.draw(["a", "c", "d"]), "\x1b[2;1Hc\x1b[K\x1b[3;1Hd\x1b[K\x1b[4;1H\x1b[J");
  equal(terminal.draw(["a"]), "\x1b[2;1H\x1b[K\x1b[3;1H\x1b[K\x1b[2;1H\x1b[J");
  terminal.forget();
  ok(terminal.draw(["a"]).startsWith("\x1b[H\x1b[2J"));
});

Deno.test("lines that are too many or too long are cut, and the cursor stays on the screen", () => {
  const terminal = told("xterm", 5, 3), text = terminal.draw(["123456", "2", "3", "4"]);
  ok(
    text.includes("1234…") && !text.includes("3;1H3") && text.endsWith("\x1b[3;1H\x1b[J"),
    JSON.stringify(text),
  );
});

Deno.test("sizes that nobody has are not believed", () => {
  equal(
    [told("vt100", 0, 0), told("vt100", 1e9, 1e9), told("vt100", 10, 1)].map((
      { columns, rows },
    ) => [columns, rows]),
    [
      [80, 24],
      [400, 150],
      [10, 2],
    ],
  );
});

Deno.test("a request that is broken makes no terminal, and a size that is broken changes none", () => {
  const whole = encoded((to) => to.text("xterm").uint32(80).uint32(24).uint32(0).uint32(0).text(""));
  for (let size = 0; size < whole.length; size++) equal(Terminal.read(new Reader(whole, 0, size)), undefined);
  const terminal = told("xterm", 80, 24);
  terminal.resize(new Reader(encoded((to) => to.uint32(1))));
  equal([terminal.columns, terminal.rows], [80, 24]);
});

Deno.test("what obeys no escapes is no screen", () => {
  equal(["", "dumb", "unknown", "xterm-256color"].map((kind) => told(kind, 80, 24).isScreen), [
    false,
    false,
    false,
    true,
  ]);
});
