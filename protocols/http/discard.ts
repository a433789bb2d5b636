/** A response that goes to no client: its head is waited for, its content is read to the end and thrown away. */
import type { Phase, Stream } from "../../gate/streams.ts";
import { giveWay } from "../../gate/engine/loop.ts";
import { LOOK_MAX } from "../../gate/engine/look.ts";
import { GateError } from "../../gate/errors.ts";
import { Content } from "./content.ts";
import type { Fault } from "./faults.ts";
import { MessageHead } from "./message_head.ts";
import { parseResponse } from "./parse_head.ts";
import { upstreamPersists } from "./persistence.ts";
import { failureOf } from "./status.ts";

/** Responses before the final one; octets of content, beyond which a new connection costs less. */
const MOST_INTERIMS = 16, MOST_CONTENT = 1024 * 1024;

/** One per thread: it holds during one synchronous call. */
const HEAD = new MessageHead();
/** Where content goes. */
const NOWHERE = new Uint8Array(2 * LOOK_MAX);

/** What a final response's head said. */
interface Answered {
  readonly status: number;
  /** The connection may serve another request, once the content has been read. */
  readonly persists: boolean;
  readonly content: Content;
}

/** The final response's head; those before it are skipped. `asked`: ASKED bits. Rejects with GateError. */
export async function awaitResponse(stream: Stream, asked: number): Promise<Answered> {
  for (let interims = 0, looked = 0; interims <= MOST_INTERIMS; interims++, looked = 0) {
    const { answered } = await stream.next((bytes: Uint8Array, phase: Phase) => {
      if (bytes.length === 0 && phase === "open") return 1;
      const parsed = parseResponse(HEAD, bytes, 0, bytes.length, LOOK_MAX, asked, looked);
      if (typeof parsed === "number") {
        looked = bytes.length;
        if (phase === "open") return parsed;
        throw new GateError(
          "closed",
          "upstream",
          "Cannot get a response: the upstream closed before its end",
        );
      }
      if (parsed !== HEAD) throw failureOf(parsed as Fault, "upstream", "the response head");
      return { used: HEAD.used, answered: isInterim() ? undefined : answeredBy() };
    });
    if (answered) return answered;
  }
  throw new GateError("malformed", "upstream", "Cannot get a response: too many interim ones");
}

const isInterim = (): boolean => HEAD.status < 200 && HEAD.body !== "tunnel";

function answeredBy(): Answered {
  const content = new Content();
  content.begin(HEAD.body === "tunnel" ? "none" : HEAD.body, HEAD.length, true);
  return { status: HEAD.status, persists: upstreamPersists(HEAD), content };
}

/**
 * Reads a whole response, unless it is long: whether its connection may serve another request. Others get their turns
 * meanwhile. Rejects with GateError.
 */
export async function discardResponse(stream: Stream, asked: number): Promise<boolean> {
  const { persists, content } = await awaitResponse(stream, asked);
  while (persists && !content.done) {
    if (content.moved + content.unread > MOST_CONTENT) return false;
    const turn = giveWay();
    if (turn) await turn;
    await stream.next((bytes: Uint8Array, phase: Phase) => {
      if (bytes.length === 0 && phase === "open") return 1;
      content.place(bytes, 0, NOWHERE, 0, "upstream");
      if (content.used === 0 && phase !== "open") {
        throw new GateError("closed", "upstream", "Cannot read content: the end came first");
      }
      return content.used === 0 && !content.done ? bytes.length + 1 : content;
    });
  }
  return persists;
}
