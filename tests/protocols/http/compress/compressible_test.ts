import { hasTypeThatCompresses } from "../../../../protocols/http/compress/compressible.ts";
import { equal } from "../../../support/assert.ts";

Deno.test("text, and what is made of text, has a type that compresses", () => {
  for (
    const type of [
      ...["text/html", "Text/CSS ; charset=utf-8", "text/plain\t;a=b", "text/x;", "text/x "],
      ...["image/svg+xml", "application/problem+JSON;a", "a/b+c+text", "application/json", "font/ttf"],
    ]
  ) equal(hasTypeThatCompresses(type), true, type);
  for (
    const type of [
      ...["", "text", "text/", "text/event-stream", "text/event-stream; a", "text/a b", "text/a\tb"],
      ...["image/png", "application/jsonx", "a/b+xmls", "a+xml", "/b+xml", "application/json x"],
    ]
  ) equal(hasTypeThatCompresses(type), false, type);
});

Deno.test("a type costs what it is long, whatever an upstream makes of it", () => {
  const tabs = "\t".repeat(1 << 21), codings = "+json\t".repeat(1 << 19); // looked at again and again: hours
  equal(hasTypeThatCompresses(`text/${tabs} x`), false);
  equal(hasTypeThatCompresses(`text/a${tabs} x`), false);
  equal(hasTypeThatCompresses(`text/a${tabs} ;`), true);
  equal(hasTypeThatCompresses(`a/${codings} x`), false);
});
