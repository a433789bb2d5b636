/** What is wrong with a message: a closed list, so that a flood of bad ones allocates nothing. */

/**
 * Why a message is refused: a status and the end of a sentence. Of a response it is the upstream that is wrong, so
 * its client gets 502 whatever the status says. Nothing of the bytes is used.
 */
export interface Fault {
  readonly used: 0;
  readonly fault: 400 | 413 | 414 | 431 | 501 | 505;
  readonly state: string;
}

const fault = (status: Fault["fault"], state: string): Fault =>
  Object.freeze({ used: 0, fault: status, state });

/** More fields than this are refused: thousands of two bytes would each cost what a long one does. */
export const MOST_FIELDS = 256;
/** The longest method in IANA's registry has 17 octets. */
export const LONGEST_METHOD = 32;
/** Octets in the Connection fields of one message: each of their options is compared with each field. */
export const MOST_CONNECTION = 256;
/** Octets of a chunk's size and its extensions, with the line's end. */
export const LONGEST_CHUNK_LINE = 1024;
/** Octets of chunk lines beyond 16 for each chunk and two for each octet of content, at any point of a body. */
export const MOST_CHUNK_EXCESS = 16 * 1024;
/** Octets of a trailer section, with the empty line at its end. */
export const LONGEST_TRAILERS = 8 * 1024;

/** By what they are about: lines, first lines, targets and hosts, framing, chunks. */
export const FAULTS = {
  bareLineFeed: fault(400, "a line ends with LF alone"),
  bareReturn: fault(400, "CR stands without LF"),
  control: fault(400, "a line has a control octet"),
  noName: fault(400, "a field has no name"),
  folded: fault(400, "a line begins with whitespace"),
  noColon: fault(400, "a field's name is not followed by a colon"),
  manyFields: fault(431, `more than ${MOST_FIELDS} fields`),
  longHead: fault(431, "the head is too long"),

  noRequestLine: fault(400, "no request line"),
  noStatusLine: fault(400, "no status line"),
  longMethod: fault(501, `a method of more than ${LONGEST_METHOD} octets`),
  longTarget: fault(414, "the request target is too long"),
  version: fault(505, "an HTTP version other than 1.0 and 1.1"),

  target: fault(400, "no valid request target"),
  targetForm: fault(400, "a request target that does not go with the method"),
  authority: fault(400, "no valid authority in the request target"),
  noHost: fault(400, "no Host"),
  manyHosts: fault(400, "more than one Host"),
  host: fault(400, "no valid Host"),

  length: fault(400, "no valid Content-Length"),
  manyLengths: fault(400, "more than one Content-Length"),
  lengthAndCoding: fault(400, "both Content-Length and Transfer-Encoding"),
  codingOfOldVersion: fault(400, "Transfer-Encoding in HTTP/1.0"),
  notChunkedLast: fault(400, "a Transfer-Encoding that is not one chunked at the end"),
  coding: fault(501, "a Transfer-Encoding other than chunked"),
  longConnection: fault(431, `more than ${MOST_CONNECTION} octets in Connection`),
  connectBody: fault(400, "content in a CONNECT request"),
  switched: fault(400, "a switch of protocols that nobody asked for"),

  chunkSize: fault(400, "no valid size of a chunk"),
  longChunkLine: fault(400, `a chunk's line of more than ${LONGEST_CHUNK_LINE} octets`),
  chunkExcess: fault(400, "too much around too little content in chunks"),
  chunkEnd: fault(400, "a chunk that does not end where it said"),
  longTrailers: fault(400, `trailers of more than ${LONGEST_TRAILERS} octets`),
  content: fault(413, "more content than is allowed"),
} as const;
