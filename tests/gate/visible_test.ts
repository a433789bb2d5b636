import { columnsOf, cut, visible, visibleJson } from "../../gate/visible.ts";
import { equal, ok } from "../support/assert.ts";

Deno.test("what would move a cursor, turn text or hide it is written out", () => {
  equal(
    visible("a\x1b[2Jb\tc\r\n\x9b\u202e\u200b\u2028d\ue000"),
    String.raw`a\x1b[2Jb\x09c\x0d\x0a\x9b\u{202e}\u{200b}\u{2028}d\u{e000}`,
  );
  equal(visible("\ud800!"), "\\u{d800}!");
  equal(visible("müller 日本語 ./-"), "müller 日本語 ./-");
});

Deno.test("JSON that is made visible is the same value, and has no control character", () => {
  const value = { name: "a\x1b\x9b\x7f\u202e\u{e0001}ü\\", list: ["\u2028"] };
  const text = visibleJson(value, 2);
  equal(JSON.parse(text), value);
  ok(!/[\p{Cf}\x7f-\x9f\u2028]|(?!\n)\p{Cc}/u.test(text), text);
});

Deno.test("a text is cut at whole characters, by the columns that they take", () => {
  equal(columnsOf("日本e\u0301👍"), 7);
  equal([cut("abcdef", 6), cut("abcdef", 5), cut("abc", 1), cut("abc", 0)], ["abcdef", "abcd…", "…", ""]);
  equal([cut("日本語", 6), cut("日本語", 5), cut("日本語", 4)], ["日本語", "日本…", "日…"]);
  equal(cut("e\u0301e\u0301e\u0301", 2), "e\u0301…");
});
