/** Whose names are whose. */
import { supposedIdentity } from "../../../gate/identity/identity.ts";
import type { LiveChange } from "../../../gate/mesh/live_names.ts";
import { MOST_OF_CONNECTION, Registrations } from "../../../gate/mesh/registrations.ts";
import { equal, ok } from "../../support/assert.ts";

const ALICE = "A3UCXD63FCFXMX7GH64FZM5EAHH3PGLKWRMBHPGY4AA3MGM6SXPQ";
const BOB = "BVMXJRUH7FVKYBZBXJ7HQVHDIMDO7ADRUUQLYMDU6X7SARNP5OXA";
const alice = supposedIdentity([`key:${ALICE}`, "role:node"]), bob = supposedIdentity([`key:${BOB}`]);
const LONG = "a".repeat(63), LONGEST = `${`${LONG}.`.repeat(3)}${"b".repeat(253 - 3 * 64 - 2)}.m`;

function make(given: Partial<ConstructorParameters<typeof Registrations>[0]> = {}) {
  const registrations = new Registrations({ domain: "", node: "gate", hosts: [], granted: [], ...given });
  const changes: LiveChange[] = [], lost: number[] = [];
  registrations.events = { changed: (change) => changes.push(change), lost: ({ id }) => lost.push(id) };
  let id = 0;
  /** The refusal's words, or nothing. */
  const register = (name: string, { port = 443, identity = alice, connection = 1, engine = 0 } = {}) =>
    registrations.register({ id: ++id, engine, connection, name, port, identity })?.message;
  return { registrations, changes, lost, register };
}

Deno.test("a name that a pattern of hosts within the domain speaks for is nobody's; a wider pattern leaves the domain alone", () => {
  const { register } = make({
    domain: "mesh.example.com",
    hosts: ["*.lab.mesh.example.com", "*.example.com", "*"],
  });
  ok(register("db.lab.mesh.example.com")?.endsWith("hosts says where it lives"));
  ok(register("a.db.lab.mesh.example.com")?.endsWith("hosts says where it lives"));
  equal(register("lab.mesh.example.com"), undefined); // no name of that pattern
  equal(register("db.mesh.example.com"), undefined);
  const whole = make({ domain: "mesh.example.com", hosts: ["*.mesh.example.com"] });
  ok(whole.register("db.mesh.example.com")?.endsWith("hosts says where it lives"));
});

Deno.test("only names below the domain can be registered, in normal form", () => {
  const { register } = make({ domain: "mesh.example.com", hosts: ["db.mesh.example.com"] });
  const wrong = [
    ...["pi.example.com", "mesh.example.com", "pi.m", "com", "", ".mesh.example.com"],
    ...["Pi.mesh.example.com", "pi.mesh.example.com.", "*.mesh.example.com", "*", "a b.mesh.example.com"],
    ...["bücher.mesh.example.com", `${LONG}a.mesh.example.com`, `${LONGEST}.mesh.example.com`],
    ...["pi.xmesh.example.com", "10.0.0.1", "pi..mesh.example.com", "pi\0.mesh.example.com"],
  ];
  for (const name of wrong) {
    ok(register(name)?.endsWith("expected a name that ends in .mesh.example.com"), name);
  }
  ok(register("gate.mesh.example.com")?.endsWith("it is this gate's own name"));
  ok(register("db.mesh.example.com")?.endsWith("hosts says where it lives"));
  ok(register("pi.mesh.example.com", { port: 0 })?.endsWith("expected a port from 1 to 65535"));
  for (const name of ["pi.mesh.example.com", "xn--bcher-kva.mesh.example.com", `${LONG}.mesh.example.com`]) {
    equal(register(name), undefined);
  }
});

Deno.test("without a domain names of nodes end in m, the longest of all too", () => {
  const { register } = make();
  equal(LONGEST.length, 253);
  equal([register("pi.m"), register(LONGEST, { connection: 2 })], [undefined, undefined]);
  ok(register(`b${LONGEST}`)?.endsWith("expected a name that ends in .m"));
});

Deno.test("a node's ID is a name of its key alone, in every spelling", () => {
  const { register, registrations } = make({ domain: "mesh.example.com" });
  const id = ALICE.toLowerCase();
  for (const name of [`${id}.mesh.example.com`, `${id}.m`, `${id}.h.mesh.internal`, id]) {
    ok(register(name, { identity: bob })?.endsWith("it is the name of another key"), name);
  }
  equal(register(`${id}.m`), undefined);
  equal(registrations.rows.map(({ names }) => names), [
    [`${id}.mesh.example.com`, `${id}.m`, `${id}.h.mesh.internal`, id],
  ]);
  ok(register(`${id}.mesh.example.com`)?.endsWith("this connection has registered it already"));
});

Deno.test("a live name is its key's, on every port, until the last of them is gone", () => {
  const { register, registrations, changes, lost } = make();
  equal([register("pi.m"), register("pi.m", { port: 80 })], [undefined, undefined]); // 1, 2
  ok(
    register("pi.m", { port: 22, identity: bob, connection: 2 })?.endsWith(
      "somebody else is connected under it",
    ),
  );
  equal(register("pi.m", { connection: 3, engine: 1 }), undefined); // 4 takes 1 over
  equal([lost, changes.at(-1)?.gone, changes.at(-1)?.live.map(({ id, engine }) => [id, engine])], [[1], [1], [
    [4, 1],
  ]]);
  registrations.withdraw(1); // what was lost takes nothing away
  registrations.withdraw(4);
  ok(register("pi.m", { identity: bob, connection: 2 }) !== undefined);
  registrations.withdraw(2);
  equal(registrations.rows, []);
  equal(register("pi.m", { identity: bob, connection: 2 }), undefined);
});

Deno.test("two who log in with tokens are two, though neither has a key", () => {
  const { register } = make(),
    token = (subject: string) => supposedIdentity([`jwt:https://i.example#${subject}`]);
  equal(register("pi.m", { identity: token("a") }), undefined);
  ok(register("pi.m", { identity: token("b"), connection: 2 }) !== undefined);
  equal(register("pi.m", { identity: token("a"), connection: 3 }), undefined);
});

Deno.test("names are the mesh's from their grant on, and when nobody is connected any more", () => {
  const { register, registrations } = make({ granted: ["pi.m", "*.m", "*", "pi.example.com"] });
  const owned: (readonly string[])[] = [];
  const listening = registrations.onOwned((names) => owned.push(names));
  equal(["pi.m", "nas.m", "pi.example.com", "m"].map((name) => registrations.owns(name)), [
    true,
    false,
    false,
    false,
  ]);
  equal(registrations.owns(`${BOB.toLowerCase()}.h.mesh.internal`), true);
  register("nas.m");
  registrations.forgetEngine(0);
  equal([registrations.owns("nas.m"), registrations.rows], [true, []]);
  registrations.configure({ domain: "", node: "gate", hosts: [], granted: ["tv.m"] });
  equal(["pi.m", "tv.m", "nas.m"].map((name) => registrations.owns(name)), [false, true, true]);
  equal(owned, [["nas.m"], ["tv.m", "pi.m"]]);
  listening[Symbol.dispose]();
  register("radio.m");
  equal(owned.length, 2);
});

Deno.test("a connection registers so many, and no more", () => {
  const { register } = make();
  for (let port = 1; port <= MOST_OF_CONNECTION; port++) equal(register("pi.m", { port }), undefined);
  ok(register("pi.m", { port: 1000 })?.includes("this connection has registered 64 already"));
  equal(register("pi.m", { port: 1000, connection: 2 }), undefined);
});

Deno.test("a thousand that reconnect again and again leave what they have now, and nothing else", () => {
  const { register, registrations, changes } = make();
  const nodes = Array.from({ length: 1000 }, (_, i) => supposedIdentity([`key:${i}`]));
  for (let round = 0; round < 5; round++) {
    for (const [i, identity] of nodes.entries()) {
      equal(register(`node${i}.m`, { identity, connection: round * 1000 + i }), undefined);
    }
  }
  equal(registrations.rows.length, 1000);
  const live = new Set(changes.flatMap(({ live }) => live.map(({ id }) => id)));
  for (const { gone } of changes) for (const id of gone) live.delete(id);
  equal(live, new Set(registrations.rows.map(({ id }) => id)));
  registrations.forgetEngine(0);
  equal(registrations.rows, []);
  equal(register("node1.m", { identity: bob }), undefined);
});
