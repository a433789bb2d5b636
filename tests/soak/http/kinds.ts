/** Kinds of connections that carry requests: how many, how they are sent, and how it ends. */
import type { Kind, Scene } from "../blocking_client.ts";
import { SecureContext, SecureWire, type Session } from "../secure_wire.ts";
import { drain, Wire } from "../wire.ts";
import { bytesOf, drawn, QUICK, type Request, REQUEST_KINDS, type RequestKind } from "./requests.ts";
import { Speaker } from "./speaker.ts";
import { HOST, type HttpServers } from "./world.ts";

type HttpScene = Scene<HttpServers>;
type Leg = "clear" | "TLS";

const MOST_REQUESTS = 40, MOST_PIPELINED = 10;

let context: SecureContext | undefined, session: Session | undefined, ids = 0;
/** Unlike those of other threads. */
const THREAD = crypto.randomUUID().slice(0, 8);

/** Has a connection; with TLS most resume the last one's session. */
function connected(scene: HttpScene, leg: Leg, act: (speaker: Speaker) => void): void {
  using wire = Wire.connect(scene.doors.edge, scene.from);
  scene.made();
  if (leg === "clear") return act(new Speaker(wire));
  context ??= new SecureContext({ version: "1.3", roots: `${scene.servers.folder}/ca.pem` });
  using secure = new SecureWire(wire, context, HOST, session);
  const failure = secure.shake();
  if (failure) throw new Error(`Cannot shake hands: ${failure}`);
  act(new Speaker(wire, secure));
  const next = secure.session();
  if (!next) return;
  session?.[Symbol.dispose]();
  session = next;
}

/** Says farewell, and hears it. */
function end({ wire, secure }: Speaker): void {
  secure?.end();
  wire.end();
  drain(wire);
}

const made = (scene: HttpScene, kind: RequestKind): Request =>
  kind.make(`${THREAD}-${++ids}`, scene.servers, scene.random);

function judged(speaker: Speaker, kind: RequestKind, { isHead, judge }: Request): void {
  let wrong: string;
  try {
    wrong = judge(speaker.answer(isHead));
  } catch (thrown) {
    wrong = String(thrown);
  }
  if (wrong) throw new Error(`${kind.name}: ${wrong}`.slice(0, 250));
}

/** Requests one after the other. */
function conversation(scene: HttpScene, leg: Leg): void {
  connected(scene, leg, (speaker) => {
    for (let left = 1 + Math.floor(scene.random() * MOST_REQUESTS); left > 0; left--) {
      const kind = drawn(REQUEST_KINDS, scene.random), request = made(scene, kind);
      speaker.send(bytesOf(request));
      judged(speaker, kind, request);
      scene.asked();
      if (request.last) break;
    }
    end(speaker);
  });
}

/** Several at once, answered in their order. */
function pipelined(scene: HttpScene, leg: Leg): void {
  connected(scene, leg, (speaker) => {
    for (let rounds = 1 + Math.floor(scene.random() * 4); rounds > 0; rounds--) {
      const kinds = Array.from(
        { length: 1 + Math.floor(scene.random() * MOST_PIPELINED) },
        () => drawn(QUICK, scene.random),
      );
      const requests = kinds.map((kind) => made(scene, kind));
      for (const request of requests) speaker.send(bytesOf(request));
      requests.forEach((request, at) => {
        judged(speaker, kinds[at], request);
        scene.asked();
      });
    }
    end(speaker);
  });
}

/** Leaves in the middle of a request, or of its answer. */
function left(scene: HttpScene, leg: Leg): void {
  connected(scene, leg, (speaker) => {
    const kind = drawn(QUICK, scene.random), request = made(scene, kind), bytes = bytesOf(request);
    speaker.send(bytesOf(made(scene, QUICK[0])));
    speaker.answer();
    scene.asked();
    const stage = scene.random();
    speaker.send(stage < 0.6 ? bytes.subarray(0, Math.floor(scene.random() * bytes.length)) : bytes);
    if (stage > 0.8) speaker.take(20);
    if (scene.random() < 0.5) speaker.wire.reset();
  });
}

/** What an upgrade makes of a connection. */
function tunnel(scene: HttpScene, leg: Leg): void {
  connected(scene, leg, (speaker) => {
    speaker.send(
      `GET /r/odd/up HTTP/1.1\r\nHost: ${HOST}\r\nConnection: upgrade\r\nUpgrade: soak\r\n\r\nahead`,
    );
    const { status } = speaker.answer();
    if (status !== 101) throw new Error(`expected 101, got ${status}`);
    scene.asked();
    const words = "y".repeat(1 + Math.floor(scene.random() ** 3 * 100_000));
    speaker.send(words);
    speaker.take("ahead".length);
    if (speaker.take(words.length).toString("latin1") !== words) {
      throw new Error("the tunnel changed what it carries");
    }
    end(speaker);
  });
}

const kind = (name: string, weight: number, outcomes: string, act: (scene: HttpScene) => void) => ({
  name,
  weight,
  outcomes: outcomes.split(" "),
  act,
});

/** The last request's failure is its connection's. */
const ENDED = "ok malformed",
  LEFT = `${ENDED} reset closed no-route denied unauthenticated refused exhausted`;

export const HTTP_KINDS: readonly Kind<HttpServers>[] = (["clear", "TLS"] as const).flatMap((leg) => [
  kind(`conversation, ${leg}`, 4, ENDED, (scene) => conversation(scene, leg)),
  kind(`pipelined, ${leg}`, 3, ENDED, (scene) => pipelined(scene, leg)),
  kind(`left, ${leg}`, 4, LEFT, (scene) => left(scene, leg)),
  kind(`tunnel, ${leg}`, 1, "ok", (scene) => tunnel(scene, leg)),
]).map((each, at) => ({ ...each, from: `127.3.0.${at + 1}` }));
