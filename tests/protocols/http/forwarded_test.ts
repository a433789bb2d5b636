import type { Conn, Peer } from "../../../gate/contracts.ts";
import { ForwardedLines } from "../../../protocols/http/forwarded.ts";
import { equal } from "../../support/assert.ts";

/** The lines of the first request of a connection. */
function told(peer: Partial<Peer>, localPort: number | undefined, host: string, minor = 1): string[] {
  const conn = { peer: { address: "192.0.2.1", layers: [], ...peer }, localPort } as unknown as Conn;
  const lines = new TextDecoder().decode(new ForwardedLines().of(conn, host, minor));
  equal(lines.endsWith("\r\n"), true);
  return lines.trimEnd().split("\r\n");
}

Deno.test("what is remembered of a client is told where nothing else would be: host, scheme, port and version count", () => {
  const plain = [
    "X-Forwarded-For: 192.0.2.1",
    "X-Real-IP: 192.0.2.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: a.test",
    "X-Forwarded-Port: 80",
    'Forwarded: for=192.0.2.1;host="a.test";proto=http',
    "Via: 1.1 ugate",
  ];
  const changed = (...lines: readonly string[]): string[] =>
    plain.map((line) => lines.find((other) => other.split(":")[0] === line.split(":")[0]) ?? line);
  for (let round = 0; round < 2; round++) {
    equal(told({}, 80, "a.test"), plain);
    equal(told({}, 80, "a.test"), plain);
    equal(
      told({}, 80, "b.test"),
      changed("X-Forwarded-Host: b.test", 'Forwarded: for=192.0.2.1;host="b.test";proto=http'),
    );
    equal(told({}, 8080, "a.test"), changed("X-Forwarded-Port: 8080"));
    equal(told({}, 80, "a.test", 0), changed("Via: 1.0 ugate"));
    equal(
      told({ layers: ["tls"] }, 80, "a.test"),
      changed("X-Forwarded-Proto: https", 'Forwarded: for=192.0.2.1;host="a.test";proto=https'),
    );
    equal(told({ address: "192.0.2.9" }, 80, "a.test"), plain.map((line) => line.replace("2.1", "2.9")));
    equal(told({ address: "unix" }, undefined, ""), [
      "X-Forwarded-Proto: http",
      "Forwarded: for=unknown;proto=http",
      "Via: 1.1 ugate",
    ]);
  }
});

Deno.test("more clients than are remembered are told of as themselves", () => {
  for (let client = 0; client < 3000; client++) {
    const address = `10.0.${client >> 8}.${client & 255}`;
    equal(told({ address }, 80, "a.test")[0], `X-Forwarded-For: ${address}`);
  }
});
