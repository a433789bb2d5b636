/** What grants let clients ask for, as tables: places of -L, sockets of -R, names of -R. */
import type { Grant } from "../../../../protocols/ssh/keys/login.ts";
import { readAuthorizedKeys } from "../../../../protocols/ssh/keys/authorized_keys.ts";
import { namesAskedFor, whyNoName } from "../../../../protocols/ssh/forwards/names.ts";
import { listenAddresses, whyNotListen, whyNotOpen } from "../../../../protocols/ssh/forwards/permits.ts";
import { equal, ok } from "../../../support/assert.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2h8W8u2FZ3fUzv9yQ1oqfPJ0mXk0YxGdYt3gkq4H0S";
const ID = "A3UCXD63FCFXMX7GH64FZM5EAHH3PGLKWRMBHPGY4AA3MGM6SXPQ";
const OTHER = "BVMXJRUH7FVKYBZBXJ7HQVHDIMDO7ADRUUQLYMDU6X7SARNP5OXA";
const DOMAIN = "mesh.example.com";
const both = ["127.0.0.1", "::1"];

/** As a line of authorized_keys with these options grants it. */
function grant(options = "", given: Partial<Grant> = {}): Grant {
  const { keys: [line], faults } = readAuthorizedKeys("keys", `${options} ${KEY}`);
  equal(faults, [], options);
  const { forwarding, pty, role, permitOpen, permitListen } = line.options;
  const identity = { name: `key:${ID}`, names: [`key:${ID}`], proof: "ssh key" as const };
  const allowed = { forwarding, pty, role, permitOpen, permitListen };
  return { identity, by: "keys:1", until: Infinity, principals: [], ...allowed, ...given };
}

Deno.test("permitopen narrows where -L leads, by the name that was asked for and its port; restrict forbids all", () => {
  const table: [options: string, host: string, port: number, may: boolean][] = [
    ["", "db.internal", 5432, true],
    ["", "unix:/run/db.sock", 0, true],
    [`permitopen="db.internal:5432"`, "db.internal", 5432, true],
    [`permitopen="db.internal:5432"`, "DB.Internal.", 5432, true],
    [`permitopen="db.internal:5432"`, "db.internal", 22, false],
    [`permitopen="db.internal:5432"`, "10.0.0.7", 5432, false],
    [`permitopen="db.internal:*"`, "db.internal", 22, true],
    [`permitopen="*:22"`, "anything.example", 22, true],
    [`permitopen="*:22"`, "anything.example", 23, false],
    [`permitopen="*:22"`, "unix:/run/db.sock", 0, false],
    [`permitopen="127.0.0.1:80"`, "2130706433", 80, true],
    [`permitopen="[::1]:80"`, "0:0:0:0:0:0:0:1", 80, true],
    [`permitopen="a:1",permitopen="b:2"`, "b", 2, true],
    [`permitopen="a:1",permitopen="b:2"`, "b", 1, false],
    [`permitopen="a:1"`, "not a name", 1, false],
    ["restrict", "db.internal", 5432, false],
    ["no-port-forwarding", "unix:/run/db.sock", 0, false],
    ["restrict,port-forwarding", "db.internal", 5432, true],
  ];
  for (const [options, host, port, may] of table) {
    equal(whyNotOpen(grant(options), { host, port }) === undefined, may, `${options} ${host} ${port}`);
  }
});

Deno.test("guests, and who may forward nothing, offer nothing", () => {
  for (const options of [`environment="UGATE_ROLE=guest"`, "restrict", "no-port-forwarding"]) {
    ok(whyNotListen(grant(options)), options);
  }
  for (const options of ["", `environment="UGATE_ROLE=admin"`, "restrict,port-forwarding"]) {
    equal(whyNotListen(grant(options)), undefined, options);
  }
});

Deno.test("a socket is opened only where permitlisten allows it, beyond loopback only where it spells the address", () => {
  const table: [options: string, address: string, port: number, at: readonly string[]][] = [
    ["", "localhost", 8080, []],
    ["", "127.0.0.1", 8080, []],
    [`permitlisten="8080"`, "localhost", 8080, both],
    [`permitlisten="8080"`, "localhost", 8081, []],
    [`permitlisten="8080"`, "127.0.0.1", 8080, ["127.0.0.1"]],
    [`permitlisten="8080"`, "::1", 8080, ["::1"]],
    [`permitlisten="*:*"`, "localhost", 8081, both],
    [`permitlisten="8080"`, "", 8080, both],
    [`permitlisten="8080"`, "*", 8080, both],
    [`permitlisten="8080"`, "0.0.0.0", 8080, both],
    [`permitlisten="8080"`, "10.0.0.5", 8080, []],
    [`permitlisten="10.0.0.5:8080"`, "10.0.0.5", 8080, ["10.0.0.5"]],
    [`permitlisten="10.0.0.*:8080"`, "10.0.0.5", 8080, []],
    [`permitlisten="0.0.0.0:8080"`, "", 8080, ["0.0.0.0"]],
    [`permitlisten="0.0.0.0:8080",permitlisten="[::]:8080"`, "*", 8080, ["0.0.0.0", "::"]],
    [`permitlisten="0.0.0.0:8080"`, "0.0.0.0", 8080, ["0.0.0.0"]],
    [`permitlisten="0.0.0.0:8080"`, "10.0.0.5", 8080, []],
    [`permitlisten="localhost:8080"`, "localhost", 8080, both],
    [`permitlisten="localhost:8080"`, "127.0.0.1", 8080, ["127.0.0.1"]],
    [`permitlisten="localhost:8080"`, "", 8080, []],
    [`permitlisten="localhost:8080"`, "0.0.0.0", 8080, []],
    [`permitlisten="127.0.0.1:8080"`, "localhost", 8080, ["127.0.0.1"]],
    [`permitlisten="127.0.0.2:8080"`, "127.0.0.2", 8080, ["127.0.0.2"]],
    [`permitlisten="8080"`, "127.0.0.2", 8080, ["127.0.0.2"]],
    [`permitlisten="8080"`, "db.internal", 8080, []],
    [`permitlisten="8080"`, "not an address", 8080, []],
  ];
  for (const [options, address, port, at] of table) {
    equal(
      listenAddresses(grant(options), address, port),
      at,
      `${options} ${JSON.stringify(address)} ${port}`,
    );
  }
});

/** `name:port` of each, or what else it is. */
const names = (grant: Grant, address: string, port: number): readonly string[] | "a socket" =>
  namesAskedFor(grant, DOMAIN, address, port)?.map(({ name, port }) => `${name}:${port}`) ?? "a socket";

Deno.test("a user takes the names of its key, of its principals, and those that permitlisten spells", () => {
  const own = `${ID.toLowerCase()}.${DOMAIN}`, pi = { principals: ["pi", "Not A Name", "a.b", OTHER] };
  const line =
    `permitlisten="shop.mesh.example.com:443",permitlisten="ssh.mesh.example.com:22",permitlisten="all.mesh.example.com:*"`;
  const table: [grant: Grant, address: string, port: number, names: readonly string[] | "a socket"][] = [
    [grant(), "localhost", 0, [`${own}:15022`]],
    [grant(), "", 15022, [`${own}:15022`]],
    [grant(), "*", 443, [`${own}:443`]],
    [grant(), "0.0.0.0", 80, [`${own}:80`]],
    [grant(), "10.0.0.5", 22, [`${own}:22`]],
    [grant(), "localhost", 8080, "a socket"],
    [grant(), "", 21, "a socket"],
    [grant(), own, 8080, [`${own}:8080`]],
    [grant(), own.toUpperCase(), 0, [`${own}:15022`]],
    [grant(), `${ID}.m`, 443, [`${ID.toLowerCase()}.m:443`]],
    [grant(), `${ID}.example.org`, 443, []],
    [grant(), `${OTHER}.${DOMAIN}`, 443, []],
    [grant(), `pi.${DOMAIN}`, 443, []],
    [grant(), "not a name", 443, []],
    [grant("", pi), `pi.${DOMAIN}`, 443, [`pi.${DOMAIN}:443`]],
    [grant("", pi), "localhost", 443, [`${own}:443`, `pi.${DOMAIN}:443`]],
    [grant("", pi), `a.b.${DOMAIN}`, 443, []],
    [grant("", pi), `${OTHER}.${DOMAIN}`, 443, []],
    [grant("", pi), "pi.example.org", 443, []],
    [grant(line), "shop.mesh.example.com", 443, ["shop.mesh.example.com:443"]],
    [grant(line), "shop.mesh.example.com", 80, []],
    [grant(line), "shop.mesh.example.com", 8443, []],
    [grant(line), "ssh.mesh.example.com", 0, ["ssh.mesh.example.com:22"]],
    [grant(line), "all.mesh.example.com", 0, ["all.mesh.example.com:15022"]],
    [grant(`permitlisten="shop.example.com:443"`), "shop.example.com", 443, []],
    [grant(line), "all.mesh.example.com", 9999, ["all.mesh.example.com:9999"]],
    [grant(line), "", 443, [`${own}:443`, "shop.mesh.example.com:443", "all.mesh.example.com:443"]],
    [
      grant(`permitlisten="443",permitlisten="*:80",permitlisten="*.mesh.example.com:443"`),
      "x.mesh.example.com",
      443,
      [],
    ],
    [grant(`permitlisten="443"`), "", 443, [`${own}:443`]],
    [grant(`permitlisten="localhost:443"`), "localhost", 443, [`${own}:443`]],
    [grant(`permitlisten="${OTHER}.${DOMAIN}:443"`), `${OTHER}.${DOMAIN}`, 443, []],
  ];
  for (const [grant, address, port, expected] of table) {
    equal(names(grant, address, port), expected, `${JSON.stringify(address)} ${port}`);
  }
});

Deno.test("a principal is a name as it is spelled in ASCII, and no other spelling makes it another's", () => {
  const own = [`${ID.toLowerCase()}.${DOMAIN}:443`];
  const table: [principal: string, name: string | undefined][] = [
    ["pi", "pi"],
    ["PI", "pi"],
    ["my_pi-2", "my_pi-2"],
    ["xn--bcher-kva", "xn--bcher-kva"],
    ["bücher", undefined],
    ["p\u00ADi", undefined], // a soft hyphen, which UTS 46 leaves out
    ["\u24DF\u24D8", undefined], // pi in circles
    ["\uFF50\uFF49", undefined], // of full width
    ["a\u3002b", undefined], // an ideographic full stop
    ["a.b", undefined],
    ["pi.", undefined],
    ["", undefined],
    ["*", undefined],
    ["*.pi", undefined],
    ["pi.mesh.example.com", undefined],
    ["pi:443", undefined],
    ["pi pi", undefined],
    ["pi\0", undefined],
    ["127.0.0.1", undefined],
    ["[::1]", undefined],
    ["x".repeat(64), undefined],
    [OTHER, undefined],
    [OTHER.toLowerCase(), undefined],
  ];
  for (const [principal, name] of table) {
    const expected = name === undefined ? own : [...own, `${name}.${DOMAIN}:443`];
    equal(names(grant("", { principals: [principal] }), "", 443), expected, JSON.stringify(principal));
    if (principal === "") continue; // which stands for all addresses
    const asked = names(grant("", { principals: [principal] }), `${principal}.${DOMAIN}`, 443);
    if (name === undefined) equal(asked, [], JSON.stringify(principal));
  }
});

Deno.test("other spellings of one's own name are it, and those of another's are not", () => {
  const pi = grant("", { principals: ["pi"] }), right = [`pi.${DOMAIN}:443`];
  for (const mine of [`pi.${DOMAIN}.`, `PI.${DOMAIN}`, `\uFF50i.${DOMAIN}`]) {
    equal(names(pi, mine, 443), right);
  }
  const others = [
    "pi.example.com",
    `nas.${DOMAIN}`,
    `x.pi.${DOMAIN}`,
    `pi.${DOMAIN}.example.com`,
    DOMAIN,
    "pi",
  ];
  const wild = [
    `*.${DOMAIN}`,
    "*.*",
    `.${DOMAIN}`,
    `pi..${DOMAIN}`,
    `${OTHER}.m`,
    OTHER,
    `${OTHER}.h.mesh.internal`,
  ];
  for (const name of [...others, ...wild]) equal(names(pi, name, 443), [], name);
});

Deno.test("who has proven no key has no name of one", () => {
  const identity = { name: "jwt:https://a#b", names: ["jwt:https://a#b"], proof: "token" as const };
  equal(names(grant("", { identity }), "", 443), []);
});

Deno.test("a request is about 64 names at most", () => {
  const principals = Array.from({ length: 256 }, (_, i) => `n${i}`);
  equal(names(grant("", { principals }), "", 443).length, 64);
});

Deno.test("why somebody has no such name is told with what would give it to him", () => {
  const token = grant("", { identity: { name: "jwt:https://id.example#me", names: [], proof: "token" } });
  const table: [given: Grant, address: string, port: number, why: RegExp][] = [
    [token, "", 80, /^a token gives no names: log in with a key or a certificate$/],
    [token, "pi.mesh.example.com", 80, /^a token gives no names/],
    [grant(), "pi.example.com", 80, /^names end in \.mesh\.example\.com$/],
    [grant(), "not a name", 80, /^names end in/],
    [grant(), `${OTHER}.${DOMAIN}`, 80, /^it is the name of another key$/],
    [
      grant(),
      "pi.mesh.example.com",
      80,
      /^nothing gives it to this key: permitlisten="pi\.mesh\.example\.com:80"/,
    ],
    [
      grant(),
      "Pi.mesh.example.com",
      0,
      /permitlisten="pi\.mesh\.example\.com:22" in the line of its key does/,
    ],
    [
      grant("", { by: "policy" }),
      "pi.mesh.example.com",
      80,
      /^the rule of policy that lets this key in gives it no/,
    ],
  ];
  for (const [given, address, port, why] of table) {
    equal(namesAskedFor(given, DOMAIN, address, port), []);
    const told = whyNoName(given, DOMAIN, address, port);
    ok(why.test(told), told);
  }
});
