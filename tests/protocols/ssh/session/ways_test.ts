import { type Here, wayTo } from "../../../../protocols/ssh/session/ways.ts";
import { equal } from "../../../support/assert.ts";

const here = (port: number, doors: Readonly<Record<string, number>> = {}): Here => ({
  host: "gate.example",
  port,
  doorFor: (protocol) => doors[protocol],
});

Deno.test("a name is reached by what its port is for: a jump, a URL, or a forward", () => {
  const ways = ["pi.m:22", "pi.m:15022", "pi.m:80", "pi.m:443", "pi.m:5432", "pi.m:25"].map((name) =>
    wayTo(name, here(443, { tls: 443, http: 80 }))
  );
  equal(ways.map(({ kind, how }) => [kind, how]), [
    ["ssh", "ssh -J gate.example:443 pi.m"],
    ["ssh", "ssh -J gate.example:443 pi.m"],
    ["http", "http://pi.m"],
    ["https", "https://pi.m"],
    ["5432", "ssh -N -L 5432:pi.m:5432 -p 443 gate.example"],
    ["25", "ssh -N -L 8025:pi.m:25 -p 443 gate.example"],
  ]);
});

Deno.test("a URL has the port where the gate hears browsers; where it hears none, a forward leads there", () => {
  equal(wayTo("pi.m:443", here(22, { tls: 8443 })).how, "https://pi.m:8443");
  equal(wayTo("pi.m:80", here(22)).how, "ssh -N -L 8080:pi.m:80 gate.example");
});

Deno.test("the usual port of SSH is not told, and an address of IPv6 is told as one", () => {
  equal(wayTo("pi.m:22", here(22)).how, "ssh -J gate.example pi.m");
  equal(wayTo("pi.m:22", { ...here(15022), host: "2001:db8::1" }).how, "ssh -J [2001:db8::1]:15022 pi.m");
});
