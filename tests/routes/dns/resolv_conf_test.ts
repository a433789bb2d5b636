import fc from "fast-check";
import { parseResolvConf } from "../../../routes/dns/resolv_conf.ts";
import { parseHosts } from "../../../routes/dns/hosts_file.ts";
import { equal, ok } from "../../support/assert.ts";

Deno.test("resolv.conf: servers, the last search list, options within their limits", () => {
  const conf = parseResolvConf(`
# a comment
; another
nameserver 10.0.0.53
nameserver\t2001:DB8::53
nameserver fe80::1%eth0
nameserver not-an-address
domain old.test
search a.test  B.Test. bad..name
options ndots:2 timeout:1
options attempts:99 rotate edns0 ndots:3
nameserver 10.0.0.54
nameserver 10.0.0.55
`);
  equal(conf, {
    servers: ["10.0.0.53", "2001:db8::53", "10.0.0.54"].map((host) => ({ host, port: 53 })),
    search: ["a.test", "b.test"],
    ndots: 3,
    timeout: 1000,
    attempts: 5,
    rotate: true,
  });
});

Deno.test("resolv.conf: an empty one means the server of this machine and the usual options", () => {
  equal(parseResolvConf(""), {
    servers: [{ host: "127.0.0.1", port: 53 }],
    search: [],
    ndots: 1,
    timeout: 5000,
    attempts: 2,
    rotate: false,
  });
});

Deno.test("resolv.conf: `domain` is a search list of one", () => {
  equal(parseResolvConf("search a.test b.test\ndomain c.test d.test").search, ["c.test"]);
});

Deno.test("hosts: names and aliases, several lines for one name, comments", () => {
  const hosts = parseHosts(`
127.0.0.1 localhost
10.0.0.1\tdb.test DB alias.test. # the old one
fd00::1 db.test # v6
10.0.0.1 db.test
nonsense here
10.0.0.2
10.0.0.3 #db.test
`);
  equal(hosts.get("db.test"), ["10.0.0.1", "fd00::1"]);
  equal(hosts.get("db"), ["10.0.0.1"]);
  equal(hosts.get("alias.test"), ["10.0.0.1"]);
  equal([...hosts.keys()].sort(), ["alias.test", "db", "db.test", "localhost"]);
});

Deno.test("resolv.conf and hosts: any text means something and never throws", () => {
  const line = fc.constantFrom(
    "nameserver",
    "search",
    "options ndots:",
    "domain",
    "10.0.0.1",
    "\t",
    "#",
    "\n",
    "%",
  );
  const text = fc.array(fc.oneof(line, fc.string({ unit: "binary" }))).map((parts) => parts.join(" "));
  fc.assert(fc.property(text, (text) => {
    const conf = parseResolvConf(text);
    ok(conf.servers.length >= 1 && conf.servers.length <= 3);
    ok(conf.ndots >= 0 && conf.ndots <= 15 && conf.attempts >= 1 && conf.attempts <= 5);
    for (const addresses of parseHosts(text).values()) ok(addresses.length >= 1);
  }));
});
