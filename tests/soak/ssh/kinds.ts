/** Every kind of connection of SSH that the soak makes: what its client does, and how its record may end. */
import type { Stream } from "../../../gate/streams.ts";
import type { HostKey } from "../../../protocols/ssh/host_key.ts";
import { CutJoint } from "../../support/cut_joint.ts";
import { pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import * as nodes from "../../support/ssh_node.ts";
import { SshNode } from "../../support/ssh_node.ts";
import type { Doors, KindFacts } from "../course.ts";
import { CLOSED_PORT, DENIED_PORT, NAME_PORT, NOBODY, type SshDoor, type SshServers } from "./world.ts";

/** Who does it: nobody else has this key, name and port. */
export interface Me {
  readonly key: HostKey;
  readonly name: string;
  readonly port: number;
}

export interface Scene {
  readonly doors: Doors;
  readonly servers: SshServers;
  readonly me: Me;
  readonly own: { readonly admin: HostKey; readonly stranger: HostKey };
  readonly from: string;
  readonly random: () => number;
  /** A connection stands, of this kind or of another one: from then on there has to be a record. */
  readonly made: (kind?: string) => void;
  /** What has to be closed if it is not yet when the kind is over. */
  readonly opened: (() => void)[];
}

export interface Kind extends KindFacts {
  /** How often it is made, beside others. */
  readonly weight: number;
  /** From its first byte to its end. Throws where the gate did not do what is right. */
  act(scene: Scene): Promise<void>;
}

/** Who comes by names. */
const VISITOR = { name: "visitor", from: "127.4.1.1" };
/** How often a thing is made that holds a place for a second, or has its source throttled. */
const RARE = 0.1;
const MOST_TRANSFER = 600_000;
const BYTES = pattern(MOST_TRANSFER, 11);
/** Bytes of a connection up to its login, in both directions, and a little more. */
const LOGIN_BYTES = 9000;

function expect(what: boolean, told: string): void {
  if (!what) throw new Error(`Cannot go on: ${told}`);
}

const same = (got: Uint8Array, wanted: Uint8Array): boolean =>
  got.length === wanted.length && got.every((byte, at) => byte === wanted[at]);

/** Often few bytes, seldom many. */
const some = ({ random }: Scene): Uint8Array =>
  BYTES.subarray(0, 1 + Math.floor(random() ** 4 * MOST_TRANSFER));

const pick = <T>({ random }: Scene, from: readonly T[]): T => from[Math.floor(random() * from.length)];

/** Logged in, at one of the doors. */
async function login(scene: Scene, more: Partial<nodes.NodeOptions> = {}): Promise<SshNode> {
  const door: SshDoor = pick(scene, ["ssh", "edge"]), port = scene.doors[door];
  const { from, me: { key }, made } = scene;
  const node = await SshNode.login({ port, from, key, stood: () => made(), ...more });
  scene.opened.push(() => node.isOver || node.reset());
  return node;
}

/** There and back, whole. */
async function crosses(scene: Scene, stream: Stream, what: string): Promise<void> {
  const bytes = some(scene), got = await nodes.exchanged(stream, bytes);
  expect(same(got, bytes), `${what} made ${got.length} bytes of ${bytes.length}`);
}

/** Somebody who asks the gate's proxy for this name. Rejects where it does not go. */
async function visitor({ doors, made, opened }: Scene, name: string): Promise<Stream> {
  const stream = await nodes.dialLoopback(doors.proxy, VISITOR.from);
  made(VISITOR.name);
  opened.push(() => stream[Symbol.dispose]());
  await nodes.socksTo(stream, name, NAME_PORT);
  return stream;
}

async function registered(node: SshNode, { me }: Scene): Promise<void> {
  expect(await node.forward(me.name, NAME_PORT), "its own name was refused");
}

/** Serves one word. */
const saying = (word: string) => (stream: Stream) => {
  const say = async () => {
    await stream.write(new TextEncoder().encode(word));
    await stream.closeWrite();
    await nodes.readAll(stream);
  };
  void say().catch(() => {});
};

async function heard(stream: Stream): Promise<string> {
  await stream.closeWrite();
  return new TextDecoder().decode(await nodes.readAll(stream));
}

async function refused(node: SshNode, host: string, port: number): Promise<void> {
  const outcome = await node.open(host, port).then(() => "served", () => "refused");
  expect(outcome === "refused", `${host}:${port} was ${outcome}`);
}

const kind = (
  name: string,
  outcomes: string,
  act: (scene: Scene) => Promise<void>,
  weight = 1,
): Omit<Kind, "from"> => ({ name, weight, outcomes: outcomes.split(" "), act });

const SERVED = [
  kind("a login, and goodbye", "ok", async (scene) => (await login(scene)).close()),
  kind("transfers to a server", "ok", async (scene) => {
    const node = await login(scene), { echo } = scene.servers;
    for (let rounds = 1 + Math.floor(scene.random() * 3); rounds > 0; rounds--) {
      const streams = Array.from({ length: 1 + Math.floor(scene.random() * 4) }, async () => {
        await crosses(scene, await node.open("127.0.0.1", echo), "an echo");
      });
      await Promise.all(streams);
    }
    node.close();
  }, 3),
  kind("transfers while keys change", "ok", async (scene) => {
    const node = await login(scene), { echo } = scene.servers;
    let over = false;
    const work = Promise.all([1, 2].map(async () => {
      await crosses(scene, await node.open("localhost", echo), "an echo");
    }));
    work.then(() => over = true, () => over = true);
    for (let left = 8; left > 0 && !over; left--) {
      node.rekey();
      await pause(2);
    }
    await work;
    node.close();
  }),
  kind("a name, and visitors", "ok", async (scene) => {
    const node = await login(scene);
    await registered(node, scene);
    for (let left = Math.floor(scene.random() * 3); left >= 0; left--) {
      await crosses(scene, await visitor(scene, scene.me.name), "a visit");
    }
    if (scene.random() < 0.5) {
      expect(await node.forward(scene.me.name, NAME_PORT, false), "a cancel was refused");
      const outcome = await visitor(scene, scene.me.name).then(() => "served", () => "refused");
      expect(outcome === "refused", "a name was served that was taken back");
    }
    node.close();
  }, 3),
  kind("a name taken over", "ok", async (scene) => {
    const [first, second] = [await login(scene), await login(scene)];
    first.serves = saying("first");
    second.serves = saying("second");
    await registered(first, scene);
    const before = await heard(await visitor(scene, scene.me.name));
    expect(before === "first", `expected the first, heard ${before}`);
    await registered(second, scene);
    for (const leaves of [() => {}, () => first.close()]) {
      leaves();
      const after = await heard(await visitor(scene, scene.me.name));
      expect(after === "second", `expected the second, heard ${after}`);
    }
    second.close();
  }),
  kind("a port, and visitors", "ok", async (scene) => {
    const node = await login(scene), { port } = scene.me;
    expect(await node.forward("localhost", port), "a port was refused that is permitted");
    await crosses(scene, await nodes.dialLoopback(port), "a port");
    node.close();
  }),
  kind("a verb", "ok", async (scene) => {
    const node = await login(scene, { key: scene.own.admin });
    const { stream, exit } = await node.session(
      pick(scene, ["version", "id --json", "nodes", "status --json"]),
    );
    const said = await heard(stream);
    expect(said.length > 0 && exit() === 0, `a verb ended with ${exit()}: ${said}`);
    node.close();
  }),
  kind("the status", "ok", async (scene) => {
    const node = await login(scene);
    await registered(node, scene);
    const { stream } = await node.session();
    const size = await stream.read(new Uint8Array(4096));
    expect(size !== null, "the status says nothing");
    await crosses(scene, await visitor(scene, scene.me.name), "a visit");
    await stream.write(new TextEncoder().encode("q"));
    await heard(stream);
    node.close();
  }),
];

const REFUSED = [
  kind("what is not for it", "ok", async (scene) => {
    const node = await login(scene), { people } = scene.servers;
    const other = people.find(({ name }) => name !== scene.me.name)!;
    expect(!await node.forward(other.name, NAME_PORT), "somebody else's name was granted");
    expect(!await node.forward("localhost", other.port), "somebody else's port was granted");
    await refused(node, "127.0.0.1", CLOSED_PORT);
    await refused(node, "127.0.0.1", DENIED_PORT);
    await refused(node, NOBODY, NAME_PORT);
    const { stream, exit } = await node.session("status");
    await heard(stream);
    expect(exit() !== 0, "a verb was served that is not for it");
    node.close();
  }),
  kind("a stranger", "unauthenticated exhausted", async (scene) => {
    const outcome = await login(scene, { key: scene.own.stranger }).then(
      () => "let in",
      ({ failure }) => failure,
    );
    expect(outcome !== "let in", "a stranger was let in");
  }, RARE),
  kind("nonsense", "malformed unsupported", async (scene) => {
    const stream = await nodes.dialLoopback(scene.doors.ssh, scene.from);
    scene.made();
    scene.opened.push(() => stream[Symbol.dispose]());
    await stream.write(new TextEncoder().encode("SSH-2.0-nonsense\r\n"));
    await stream.write(BYTES.subarray(0, 1000));
    await nodes.readAll(stream).catch(() => {});
  }),
  kind("silence", "timeout", async (scene) => {
    const stream = await nodes.dialLoopback(scene.doors.ssh, scene.from);
    scene.made();
    scene.opened.push(() => stream[Symbol.dispose]());
    await stream.write(new TextEncoder().encode("SSH-2.0-silent\r\n"));
    await nodes.readAll(stream).catch(() => {});
  }, RARE),
];

/** What the gate saw of a client that is gone: its last word, or what it was in the middle of. */
const LEFT = "ok reset closed malformed timeout unsupported unauthenticated";

const LEAVING = [
  ...(["reset", "end"] as const).map((by) =>
    kind(`${by} before the login is over`, LEFT, async (scene) => {
      const most = 1 + Math.floor(scene.random() * LOGIN_BYTES);
      const under: nodes.NodeOptions["under"] = (joint) => new CutJoint(joint, most, by);
      await login(scene, { under }).then((node) => node.reset(), () => {});
    }, 2)
  ),
  kind("reset in transfers", LEFT, async (scene) => {
    const node = await login(scene), { fountain, echo } = scene.servers;
    const [from, to] = await Promise.all([node.open("127.0.0.1", fountain), node.open("127.0.0.1", echo)]);
    await from.read(new Uint8Array(1000));
    const ended = Promise.allSettled([nodes.exchanged(to, BYTES), pause(scene.random() * 5)]);
    await pause(scene.random() * 5);
    node.reset();
    await ended;
  }),
  kind("a channel that is left in the middle", "ok", async (scene) => {
    const node = await login(scene);
    const stream = await node.open("127.0.0.1", scene.servers.fountain);
    await stream.read(new Uint8Array(1000));
    stream[Symbol.dispose]();
    await crosses(scene, await node.open("127.0.0.1", scene.servers.echo), "an echo beside it");
    node.close();
  }),
  kind("reset in a visit", LEFT, async (scene) => {
    const node = await login(scene);
    await registered(node, scene);
    node.serves = (stream) => void nodes.exchanged(stream, BYTES).catch(() => {});
    const visit = await visitor(scene, scene.me.name),
      got = nodes.readAll(visit).then(({ length }) => length, () => -1);
    await pause(scene.random() * 3);
    node.reset();
    const length = await got;
    expect(
      length < 0 || length === BYTES.length,
      `a visit ended well with ${length} bytes of ${BYTES.length}`,
    );
  }),
];

const KINDS = [...SERVED, ...REFUSED, ...LEAVING].map((each, i) => ({ ...each, from: `127.4.0.${i + 1}` }));

/** Made by others. */
const VISITING: Kind = {
  ...VISITOR,
  weight: 0,
  outcomes: ["ok", "reset", "closed", "no-route", "unreachable", "refused", "exhausted"],
  act: () => Promise.resolve(),
};

export const SSH_KINDS: readonly Kind[] = [...KINDS, VISITING];
