/** Every kind of TLS connection that is soaked: what its client does, and how its record may end. */
import type { Kind, Scene } from "../blocking_client.ts";
import { type ClientOptions, SecureContext, SecureWire, type Session } from "../secure_wire.ts";
import { drain, Wire } from "../wire.ts";
import { BARE, MUCH, NOBODY, SITE, type TlsDoor, type TlsServers } from "./world.ts";

type TlsScene = Scene<TlsServers>;
type Version = "1.2" | "1.3";

const heard = new Uint8Array(MUCH + 4096);

function expect(what: boolean, told: string): void {
  if (!what) throw new Error(`Cannot go on: ${told}`);
}

/** Contexts live as long as their thread. */
const contexts = new Map<string, SecureContext>();
function contextOf(options: ClientOptions): SecureContext {
  const name = JSON.stringify(options);
  const known = contexts.get(name) ?? new SecureContext(options);
  contexts.set(name, known);
  return known;
}

/** Sessions by their door and version: the last one of each, so that most are fresh. */
const sessions = new Map<string, Session>();

const believing = ({ servers: { folder } }: TlsScene, version: Version): ClientOptions => ({
  version,
  roots: `${folder}/ca.pem`,
});
const known = (scene: TlsScene, version: Version): ClientOptions => ({
  ...believing(scene, version),
  certificate: { cert: `${scene.servers.folder}/client.pem`, key: `${scene.servers.folder}/client.key` },
});

interface Asked {
  readonly door?: TlsDoor;
  readonly name?: string;
  readonly path?: string;
  readonly session?: Session;
}

/** A handshake, or what went wrong with it. */
function shaken(
  wire: Wire,
  options: ClientOptions,
  { name = SITE, session }: Asked,
): SecureWire {
  const secure = new SecureWire(wire, contextOf(options), name, session);
  const failure = secure.shake();
  if (!failure) return secure;
  secure[Symbol.dispose]();
  throw new Error(`Cannot shake hands: ${failure}`);
}

/** Asks and is answered; the status. */
function ask(secure: SecureWire, path: string, least: number): number {
  expect(secure.send(`GET ${path} HTTP/1.1\r\nHost: ${SITE}\r\n\r\n`), "a request was not taken");
  let size = 0;
  while (
    size < least || !new TextDecoder().decode(heard.subarray(0, Math.min(size, 600))).includes("\r\n\r\n")
  ) {
    const got = secure.receive(heard.subarray(size));
    if (typeof got !== "number") throw new Error(`Cannot read an answer: ${got}`);
    size += got;
  }
  return Number(new TextDecoder().decode(heard.subarray(9, 12)));
}

const connect = (scene: TlsScene, door: TlsDoor): Wire => {
  const wire = Wire.connect(scene.doors[door], scene.from);
  scene.made();
  return wire;
};

/** A whole connection that is served; `resumes`: by a session of an earlier one where there is one, and keeps its own. */
function served(scene: TlsScene, options: ClientOptions, asked: Asked = {}, resumes = false): void {
  const { door = "edge", path = "/", name = SITE } = asked, key = `${door} ${options.version}`;
  using wire = connect(scene, door);
  const session = asked.session ?? (resumes ? sessions.get(key) : undefined);
  using secure = shaken(wire, options, { name, session });
  if (resumes && session) expect(secure.resumed, "a session was not resumed");
  if (asked.session) expect(!secure.resumed, "a session was resumed that is not the gate's");
  expect(ask(secure, path, path === "/much" ? MUCH : 0) === 200, "the answer is not 200");
  if (resumes) {
    sessions.get(key)?.[Symbol.dispose]();
    const next = secure.session();
    if (next) sessions.set(key, next);
    else sessions.delete(key);
  }
  secure.end();
  wire.end();
  drain(wire);
}

/** A session that this gate gave; it is the caller's. */
function sessionOf(scene: TlsScene, version: Version, door: TlsDoor, options: ClientOptions): Session {
  using wire = connect(scene, door);
  using secure = shaken(wire, options, {});
  expect(ask(secure, "/", 0) === 200, "the answer is not 200");
  const session = secure.session();
  expect(session !== undefined, `no session of TLS ${version}`);
  secure.end();
  wire.end();
  drain(wire);
  return session!;
}

/** What is refused before it is served, by an alert: in TLS 1.3 a client hears of it when it reads. */
function refused(
  scene: TlsScene,
  options: ClientOptions,
  { door = "edge", name = SITE, session }: Asked = {},
): void {
  using wire = connect(scene, door);
  using secure = new SecureWire(wire, contextOf(options), name, session);
  const failure = secure.shake();
  if (failure) return;
  secure.send(`GET / HTTP/1.1\r\nHost: ${SITE}\r\n\r\n`);
  const got = secure.receive(heard);
  expect(typeof got !== "number" && got !== "end", `it was served: ${got}`);
}

/** Bytes of a client that knows no TLS beyond its hello. */
function raw(scene: TlsScene, act: (wire: Wire, hello: Uint8Array) => void): void {
  using wire = connect(scene, "edge");
  act(wire, helloOf(scene));
}

const hellos: Uint8Array[] = [];
function helloOf(scene: TlsScene): Uint8Array {
  if (hellos.length === 0) {
    for (const version of ["1.2", "1.3"] as const) {
      hellos.push(contextOf(believing(scene, version)).hello(SITE));
    }
  }
  return hellos[Math.floor(scene.random() * hellos.length)];
}

const part = (hello: Uint8Array, random: () => number) =>
  hello.subarray(0, 1 + Math.floor(random() * (hello.length - 1)));
const record = (type: number, size: number, random: () => number, told = size): Uint8Array =>
  Uint8Array.of(type, 3, 3, told >> 8, told & 255, ...Array.from({ length: size }, () => random() * 256));

/** The server's first flight, or its alert; whatever it is. */
function flight(wire: Wire): void {
  wire.receive(heard);
}

const kind = (name: string, weight: number, outcomes: string, act: (scene: TlsScene) => void) => ({
  name,
  weight,
  outcomes: outcomes.split(" "),
  act,
});

const GOOD = (["1.2", "1.3"] as const).flatMap((version) => [
  kind(`full ${version}`, 3, "ok", (scene) => served(scene, believing(scene, version))),
  kind(`resumed ${version}`, 8, "ok", (scene) => served(scene, believing(scene, version), {}, true)),
  kind(
    `client certificate ${version}`,
    2,
    "ok",
    (scene) => served(scene, known(scene, version), { door: "strict" }),
  ),
  kind(
    `client certificate, resumed ${version}`,
    4,
    "ok",
    (scene) => served(scene, known(scene, version), { door: "strict" }, true),
  ),
  kind(`garbled ticket ${version}`, 1, "ok", (scene) => {
    using session = sessionOf(scene, version, "edge", believing(scene, version));
    session.garble(scene.random());
    served(scene, believing(scene, version), { session });
  }),
  kind(`foreign ticket ${version}`, 1, "ok", (scene) => {
    using session = sessionOf(scene, version, "strict", known(scene, version));
    served(scene, believing(scene, version), { session });
  }),
  kind(
    `much content ${version}`,
    1,
    "ok",
    (scene) => served(scene, believing(scene, version), { path: "/much" }),
  ),
]);

/** Bytes through what was opened, both ways. */
const BARE_KIND = kind("bare bytes", 2, "ok", (scene) => {
  using wire = connect(scene, "bare");
  using secure = shaken(wire, believing(scene, "1.3"), { name: BARE });
  secure.send("soaked");
  expect(secure.receive(heard) === 6, "expected an echo");
  secure.end();
  wire.end();
  drain(wire);
});

const UPSTREAMS = [
  kind("upstream over TLS", 1, "ok", (scene) => served(scene, believing(scene, "1.3"), { path: "/secure" })),
  ...["rogue", "garbage", "resetting"].map((what) =>
    kind(`${what} upstream`, 1, "ok", (scene) => {
      using wire = connect(scene, "edge");
      using secure = shaken(wire, believing(scene, "1.3"), {});
      expect(ask(secure, `/${what}`, 0) === 502, "the answer is not 502");
      secure.end();
      wire.end();
      drain(wire);
    })
  ),
];

const REFUSED = [
  kind(
    "no client certificate",
    2,
    "unauthenticated",
    (scene) => refused(scene, believing(scene, "1.3"), { door: "strict" }),
  ),
  kind(
    "no client certificate 1.2",
    2,
    "unauthenticated",
    (scene) => refused(scene, believing(scene, "1.2"), { door: "strict" }),
  ),
  kind("rogue client certificate", 2, "unauthenticated", (scene) => {
    const { folder } = scene.servers,
      certificate = { cert: `${folder}/stranger.pem`, key: `${folder}/stranger.key` };
    refused(scene, { ...believing(scene, "1.3"), certificate }, { door: "strict" });
  }),
  kind("ticket of another door", 2, "unauthenticated ok", (scene) => {
    using session = sessionOf(scene, "1.3", "edge", believing(scene, "1.3"));
    refused(scene, believing(scene, "1.3"), { door: "strict", session });
  }),
  kind("wrong ALPN", 3, "unsupported", (scene) => refused(scene, { ...believing(scene, "1.3"), alpn: "h2" })),
  kind(
    "name that nobody knows",
    3,
    "no-route",
    (scene) => refused(scene, believing(scene, "1.3"), { name: NOBODY }),
  ),
  kind(
    "client that does not believe",
    2,
    "reset",
    (scene) => refused(scene, { version: "1.3", roots: `${scene.servers.folder}/other.pem` }),
  ),
  kind("TLS 1.1", 2, "unsupported", (scene) => refused(scene, { version: "1.1" })),
  kind("old ciphers", 2, "unsupported", (scene) => refused(scene, { version: "1.2", ciphers: "AES128-SHA" })),
];

const HELLOS = [
  kind("garbage", 8, "malformed unsupported", (scene) =>
    raw(scene, (wire) => {
      wire.send(record(22, 200, scene.random));
      drain(wire);
    })),
  kind(
    "hello with an octet changed",
    6,
    "malformed unsupported no-route timeout closed",
    (scene) =>
      raw(scene, (wire, hello) => {
        const at = 43 + Math.floor(scene.random() * (hello.length - 43));
        wire.send(hello.with(at, hello[at] ^ (1 + scene.random() * 254)));
        flight(wire);
        wire.end();
        drain(wire);
      }),
  ),
  kind("hello cut by an end", 8, "closed malformed unsupported", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(part(hello, scene.random));
      wire.end();
      drain(wire);
    })),
  kind("hello cut by a reset", 8, "reset closed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(part(hello, scene.random));
      wire.reset();
    })),
  kind("end behind the hello", 6, "closed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      wire.end();
      drain(wire);
    })),
  kind("end behind the server's flight", 5, "closed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      flight(wire);
      wire.end();
      drain(wire);
    })),
  kind("reset behind the hello", 5, "reset closed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      wire.reset();
    })),
  kind("reset behind the server's flight", 5, "reset", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      flight(wire);
      wire.reset();
    })),
  kind("record that does not open", 5, "malformed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      flight(wire);
      wire.send(record(23, 40, scene.random));
      drain(wire);
    })),
  kind("record too long", 4, "malformed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      wire.send(record(22, 40, scene.random, 0xffff));
      drain(wire);
    })),
  kind("alert behind the hello", 4, "reset closed", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      wire.send(Uint8Array.of(21, 3, 3, 0, 2, 2, 48));
      drain(wire);
    })),
  kind("hello in pieces", 4, "closed", (scene) =>
    raw(scene, (wire, hello) => {
      for (let at = 0; at < hello.length; at += 40) wire.send(hello.subarray(at, at + 40));
      wire.end();
      drain(wire);
    })),
  kind("silence behind the hello", 0.01, "timeout", (scene) =>
    raw(scene, (wire, hello) => {
      wire.send(hello);
      drain(wire);
    })),
];

/** Behind a good handshake. */
const LATER = [
  ["record that does not open, later", "malformed", (wire: Wire, random: () => number) => {
    wire.send(record(23, 60, random));
    drain(wire);
  }],
  ["end without close_notify", "reset", (wire: Wire) => {
    wire.end();
    drain(wire);
  }],
  ["reset behind the handshake", "reset", (wire: Wire) => wire.reset()],
].map(([name, outcomes, act]) =>
  kind(name as string, 2, outcomes as string, (scene) => {
    using wire = connect(scene, "edge");
    using secure = shaken(wire, believing(scene, scene.random() < 0.5 ? "1.2" : "1.3"), {});
    if (scene.random() < 0.5) secure.send("GET / HTTP/1.1\r\nHost: ");
    (act as (wire: Wire, random: () => number) => void)(wire, scene.random);
  })
);

export const TLS_KINDS: readonly Kind<TlsServers>[] = [
  ...GOOD,
  BARE_KIND,
  ...UPSTREAMS,
  ...REFUSED,
  ...HELLOS,
  ...LATER,
].map((each, at) => ({ ...each, from: `127.2.0.${at + 1}` }));
