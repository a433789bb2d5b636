/** The client that `ugate explain` is asked about, from the words of the command line. */
import { formatIp, parseAnyIp, parseTarget, type Target } from "./address.ts";
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
  return { ...asked, bytes, sni, user, from: source && formatIp(source) };
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
