/** One request and its response, as far as it has to be known when their bytes are gone. */
import type { Target } from "../../gate/address.ts";
import type { RequestRecord, Routed } from "../../gate/requests.ts";
import { now } from "../../gate/engine/loop.ts";
import type { GateError } from "../../gate/errors.ts";
import { defaultPort, parseAuthority } from "./authority.ts";
import type { Agreed } from "./compress/accept_encoding.ts";
import type { CodedContent } from "./compress/coded_content.ts";
import { Content } from "./content.ts";
import { ASKED, askedBy } from "./framing.ts";
import { textOf } from "./interned.ts";
import type { MessageHead, Method } from "./message_head.ts";
import type { MirrorCopy } from "./mirror.ts";
import { persists } from "./persistence.ts";
import type { Given } from "./proofs.ts";
import { NO_RULES, type Rules } from "./rules.ts";

/** Hosts that were asked for lately. */
const MOST_TARGETS = 1024;
const targets = new Map<string, Target | undefined>();
const HTTP_PORT = 80;

/** RFC 9110 9.2.2: what may be sent again when nobody knows whether it was done. */
const IDEMPOTENT: ReadonlySet<Method> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

export class Exchange {
  began = 0;
  method = "";
  /** As the client wrote it. */
  host = "";
  /** Without its query. */
  path = "";
  target: Target | undefined;
  requestId = "";
  /** Whom trusted proxies tell of; undefined: the peer is the client. */
  client: string | undefined;
  /** Who was proven to make it, and the line that tells the upstream. */
  user: string | undefined;
  userLine: Uint8Array | undefined;
  /** Of a request before, or of this one. */
  given: Given | undefined;
  /** ASKED bits. */
  asked = 0;
  minor = 1;
  /** Octets of the request's head. */
  used = 0;
  /** The client would go on with this connection. */
  persists = false;
  expectContinue = false;
  /** Sent twice it does what it does once. */
  idempotent = false;
  /** It may be sent again where the upstream closed before it answered. */
  repeatable = false;
  /** How often it was sent again by the `retries` of its route. */
  retried = 0;
  /** When the time for its answer is over, in the loop's time; 0: that has not begun. */
  until = 0;
  routed: Routed | undefined;
  /** Its client named the target, as a proxy's does. */
  proxied = false;
  /** The Proxy-Authorization that was right on this connection last. */
  proxyLogin: string | undefined;
  /** Of its route. */
  rules: Rules = NO_RULES;
  /** How many of them have let it go on. */
  admitted = 0;
  readonly up = new Content();
  readonly down = new Content();
  /** Why the request's content did not reach the upstream. */
  upFailure: GateError | undefined;
  /** For the mirror, while it is made. */
  copy: MirrorCopy | undefined;
  /** The request's content is on its way. */
  sending = false;
  /** Settles when it is through, or goes no further. */
  sent: Promise<void> | undefined;
  /** Of the response; 0: there was none. */
  status = 0;
  waited: number | undefined;
  interims = 0;
  /** Something of a response came. */
  heard = false;
  /** The head of the response has gone to the client. */
  answered = false;
  tunnel = false;
  /** RFC 6455 7.1.1: who has ended a WebSocket reads no more of it. Of others nobody knows: some say much behind an end. */
  endsTogether = false;
  upstreamStays = false;
  stays = false;
  /** The coding that the client would have its response in, where the route compresses. */
  agreed: Agreed | undefined;
  /** The response's content, where it is coded on its way. */
  coded: CodedContent | undefined;

  /** The facts of a request whose head was read. */
  begin(head: MessageHead, bytes: Uint8Array): void {
    this.began = now;
    this.method = textOf(bytes, head.start, head.methodEnd);
    this.host = textOf(bytes, head.authorityStart, head.authorityEnd);
    this.path = pathOf(head, bytes);
    this.target = targetOf(this.host, defaultPort(head, bytes));
    this.asked = askedBy(head);
    this.minor = head.minor;
    this.used = head.used;
    this.persists = persists(head) && head.body !== "tunnel";
    this.expectContinue = head.expectContinue;
    this.idempotent = IDEMPOTENT.has(head.method) && !head.upgrade;
    this.repeatable = this.idempotent && head.body === "none";
    this.routed =
      this.upFailure =
      this.waited =
      this.agreed =
      this.coded =
      this.sent =
        undefined;
    this.client = this.user = this.userLine = undefined;
    this.rules = NO_RULES;
    this.requestId = "";
    this.admitted =
      this.retried =
      this.until =
      this.status =
      this.interims =
      this.down.moved =
      this.up.moved =
        0;
    this.proxied =
      this.sending =
      this.heard =
      this.answered =
      this.tunnel =
      this.endsTogether =
      this.upstreamStays =
      this.stays =
        false;
  }

  /** Nothing is known of the next one yet; what may be long of the last one is not kept until it comes. */
  forget(): void {
    this.method =
      this.host =
      this.path =
      this.requestId =
        "";
    this.asked = this.used = 0;
    this.persists = false;
    this.routed = undefined;
    this.rules = NO_RULES;
  }

  get isHead(): boolean {
    return (this.asked & ASKED.head) !== 0;
  }

  /** Octets of the response's content, as the client got them. */
  get moved(): number {
    return this.coded?.moved ?? this.down.passed;
  }

  /** The response's content is through. */
  get delivered(): boolean {
    return this.coded?.done ?? this.down.done;
  }

  record(failure: GateError | undefined): RequestRecord {
    return { // without a spread, which would make another object for each request
      method: this.method,
      host: this.host,
      path: this.path,
      requestId: this.requestId,
      status: this.status,
      began: this.began,
      waited: this.waited,
      retried: this.retried,
      up: this.up.passed,
      down: this.moved,
      user: this.user,
      client: this.client,
      failure,
    };
  }
}

/** Of an absolute target, what is behind its authority; `/` where that is nothing. */
function pathOf(head: MessageHead, bytes: Uint8Array): string {
  const { pathStart, targetEnd } = head;
  let end = pathStart;
  while (end < targetEnd && bytes[end] !== 0x3f) end++;
  if (end > pathStart) return textOf(bytes, pathStart, end);
  return head.method === "OPTIONS" && pathStart === targetEnd ? "*" : "/";
}

function targetOf(host: string, port: number): Target | undefined {
  if (port !== HTTP_PORT) return parseAuthority(host, port); // https:// in a request is rare
  const known = targets.get(host);
  if (known !== undefined || targets.has(host)) return known;
  if (targets.size >= MOST_TARGETS) targets.clear();
  const target = host === "" ? undefined : parseAuthority(host, HTTP_PORT);
  targets.set(host, target);
  return target;
}
