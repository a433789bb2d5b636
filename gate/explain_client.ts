/** The client that `ugate explain` is asked about, from the words of the command line. */
import { formatIp, parseAnyIp, parseTarget, type Target } from "./address.ts";
import { IDENTITY, type Identity, readIdentityName, supposedIdentity } from "./identity/identity.ts";
import { isUrl, parseRequest, type SupposedRequest } from "./explain_request.ts";

/** The words of the command line, as they were written. */
export interface ExplainArgs {
  /** `host:port`, or the URL of a request. */
  readonly target?: string;
  /** Of the request, each `name: value`. */
  readonly header?: readonly string[];
  readonly method?: string;
  /** Bytes that a client sent, in hex; blanks and colons are skipped. */
  readonly hex?: string;
  readonly listener?: string;
  readonly from?: string;
  readonly user?: string;
  /** All that it has proven to be, as a policy spells it. */
  readonly identity?: readonly string[];
  readonly sni?: string;
}

/** The client that is made up: what it sent or asked for, and who it is. */
export interface Client {
  /** With a request: its server, by its URL. */
  readonly target?: Target;
  readonly request?: SupposedRequest;
  readonly bytes?: Uint8Array;
  readonly sni?: string;
  readonly from?: string;
  readonly user?: string;
  readonly identity?: Identity;
}

/** What was asked, or what is wrong with it. */
export function clientOf(args: ExplainArgs): Client | string {
  const { target, header, method, hex, from, user, sni } = args;
  const subjects = [target, hex].filter((given) => given !== undefined).length;
  if (subjects > 1 || (subjects === 0 && sni === undefined)) {
    return "Cannot explain: expected TARGET, or --hex BYTES, or --sni NAME";
  }
  const asked = target === undefined ? {} : subjectOf(target, args);
  if (typeof asked === "string") return asked;
  if (!asked.request && (header ?? method) !== undefined) {
    return "Cannot explain: -H and -X are of a request, as https://host/path is one";
  }
  const bytes = hex === undefined ? undefined : bytesOf(hex);
  if (hex !== undefined && bytes === undefined) return "Cannot read --hex: expected pairs of hex digits";
  const source = from === undefined ? undefined : parseAnyIp(from);
  if (from !== undefined && source === undefined) {
    return `Cannot read --from: expected an IP address, got ${JSON.stringify(from)}`;
  }
  const identity = args.identity && identityOf(args.identity);
  if (typeof identity === "string") return identity;
  return { ...asked, bytes, sni, user, identity, from: source && formatIp(source) };
}

function identityOf(written: readonly string[]): Identity | string {
  const names = written.flatMap((text) => readIdentityName(text) ?? []);
  const wrong = written.find((text) => readIdentityName(text) === undefined);
  if (wrong === undefined) return supposedIdentity(names);
  return `Cannot read --identity: expected ${IDENTITY}, got ${JSON.stringify(wrong)}`;
}

function subjectOf(text: string, args: ExplainArgs): Pick<Client, "target" | "request"> | string {
  if (isUrl(text)) return parseRequest(text, args);
  const target = parseTarget(text);
  if (target) return { target };
  const url = `https://${text}`,
    isRequest = !text.includes("://") && typeof parseRequest(url, args) !== "string";
  const expected = `host:port${isRequest ? `, or for a request a URL such as ${url}` : ""}`;
  return `Cannot read TARGET: expected ${expected}, got ${JSON.stringify(text)}`;
}

function bytesOf(hex: string): Uint8Array | undefined {
  const digits = hex.replace(/[\s:]/g, "");
  if (digits.length === 0 || digits.length % 2 > 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16));
}
