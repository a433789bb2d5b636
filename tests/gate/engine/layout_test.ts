import { need } from "../../../scripts/clients.ts";
import * as layout from "../../../gate/engine/layout.ts";
import { SOCKADDR_MAX } from "../../../gate/engine/sockaddr.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder, succeed } from "../../support/child.ts";

Deno.test("struct epoll_event is packed on x86-64 alone", () => {
  equal(layout.LAYOUTS.x86_64, {
    epollEventSize: 12,
    epollDataOffset: 4,
    O_DIRECT: 0x4000,
    O_DIRECTORY: 0x10000,
  });
  equal(layout.LAYOUTS.aarch64, {
    epollEventSize: 16,
    epollDataOffset: 8,
    O_DIRECT: 0x10000,
    O_DIRECTORY: 0x4000,
  });
});

Deno.test("an errno has its name, one without a name its number", () => {
  equal([layout.errnoName(layout.ECONNREFUSED), layout.errnoName(9999)], ["ECONNREFUSED", "errno 9999"]);
});

const HEADERS = [
  "sys/epoll.h",
  "sys/socket.h",
  "sys/un.h",
  "netinet/in.h",
  "netinet/tcp.h",
  "fcntl.h",
  "time.h",
  "errno.h",
];

/** Compiles a program that prints each expression as a number, and runs it. */
async function inC(compiler: string, expressions: readonly string[]): Promise<Record<string, number>> {
  await using folder = await Folder.make();
  const source = await folder.write(
    "layout.c",
    `#define _GNU_SOURCE\n#include <stddef.h>\n#include <stdio.h>\n${
      HEADERS.map((name) => `#include <${name}>\n`).join("")
    }` +
      `int main(void) {\n${
        expressions.map((e) => `printf("%lld\\n", (long long)(${e}));\n`).join("")
      }return 0;\n}\n`,
  );
  await succeed(compiler, ["-o", `${source}.out`, source]);
  const { stdout } = await succeed(`${source}.out`, []);
  const values = stdout.trim().split("\n").map(Number);
  return Object.fromEntries(expressions.map((expression, i) => [expression, values[i]]));
}

Deno.test({
  name: "every number and size is what this machine's C compiler has",
  ignore: !need("gcc"),
  async fn() {
    const numbers = Object.entries<unknown>(layout).filter((entry): entry is [string, number] =>
      typeof entry[1] === "number"
    );
    const shared = Object.fromEntries(
      numbers.map(([name, value]) =>
        name === "SPLICE_F_MOVE_NONBLOCK" ? ["SPLICE_F_MOVE|SPLICE_F_NONBLOCK", value] : [name, value]
      ),
    );
    const { epollEventSize, epollDataOffset, O_DIRECT, O_DIRECTORY } = layout.LAYOUTS[Deno.build.arch];
    const expected: Record<string, number> = {
      ...shared,
      O_DIRECT,
      O_DIRECTORY,
      "sizeof(struct epoll_event)": epollEventSize,
      "offsetof(struct epoll_event, data)": epollDataOffset,
      "sizeof(struct sockaddr_in)": 16,
      "sizeof(struct sockaddr_in6)": 28,
      "offsetof(struct sockaddr_in, sin_addr)": 4,
      "offsetof(struct sockaddr_in6, sin6_addr)": 8,
      "sizeof(struct sockaddr_un)": SOCKADDR_MAX,
      "sizeof(struct linger)": 8,
    };
    const unsigned = (value: number) => value >>> 0;
    const found = await inC("gcc", Object.keys(expected));
    ok(Object.keys(found).length > 60, "too few were compared");
    for (const [name, value] of Object.entries(expected)) {
      equal([name, unsigned(found[name])], [name, unsigned(value)]);
    }
  },
});
