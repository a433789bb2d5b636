/**
 * Requests of the corpus of which other things go on through nginx 1.22 or HAProxy 2.6 than through the gate, and why what
 * the gate does is right. By the names of the cases.
 */

interface Reason {
  readonly because: string;
  readonly cases: readonly string[];
}

/** One of them, or both, send on what the gate refuses. */
export const REFUSED: readonly Reason[] = [
  {
    because:
      "RFC 9112 3: single spaces part a request line; who splits it elsewhere sees another target or version",
    cases: [
      "two spaces before the target",
      "a tab before the target",
      "two spaces before the version",
      "a tab before the version",
      "a space behind the version",
    ],
  },
  {
    because:
      "RFC 9112 2.3: a version is HTTP/1.0 or HTTP/1.1 here; under another one the framing would be a guess",
    cases: [
      "HTTP/0.9 has no version",
      "a version with a digit more",
      "HTTP/1.2",
      "HTTP/2.0 in words",
    ],
  },
  {
    because:
      "RFC 9112 2.2: a line ends with CRLF; where LF alone or CR alone ends it, one field is two for somebody",
    cases: [
      "a request line that ends with LF",
      "two empty lines before it",
      "an empty line of LF before it",
      "a CR before it",
      "a line that ends with LF",
      "a CR at the end of a value",
      "a head that ends with LF",
      "a LF before its name",
    ],
  },
  {
    because:
      "RFC 9112 3.2, RFC 3986: no target of these forms; a backend may find another path or host in it",
    cases: [
      "a fragment",
      "DEL in the path",
      "an octet above ASCII in the path",
      "the asterisk with GET",
      "the asterisk with more behind it",
      "a scheme that is not HTTP's",
      "a scheme that only begins like it",
      "user information",
      "no authority",
      "an authority with port 0",
      "an authority with port 65536",
      "an authority with an IPv6 address that is none",
    ],
  },
  {
    because: "RFC 9112 3.2: one valid Host, or 400; who routes by another reading of it reaches another site",
    cases: [
      "an absolute target without Host",
      "a Host of 254 octets",
      "no Host",
      "an empty Host",
      "a Host of whitespace",
      "the same Host twice",
      "two Hosts in one field",
      "a Host with a space",
      "a Host with a slash",
      "a Host with user information",
      "a Host with a scheme",
      "a Host with a query",
      "a Host with percent-encoding",
      "a Host above ASCII",
      "a Host with a backslash",
      "a Host that begins with a dot",
      "a Host with two dots",
      "a Host with two ports",
      "a Host with a port of six digits",
      "a Host with a sign before its port",
      "a Host of IPv6 without brackets",
      "a Host of brackets around a name",
      "a Host with more behind its brackets",
      "HTTP/1.0 with two Hosts",
      "a good one before a bad one",
    ],
  },
  {
    because:
      "RFC 9112 5: a field is a token, a colon and a value on one line; servers drop, join or keep all others",
    cases: [
      "no colon",
      "a folded line",
      "a line folded with a tab",
      "whitespace before the first field's name",
      "a line of whitespace for the empty one",
      "NUL in a value",
      "a control octet in a value",
      "DEL in a value",
      "an escape in a value",
      "a name above ASCII",
      "a name with a slash",
      "a name in quotes",
      "a name in brackets",
    ],
  },
  {
    because:
      "RFC 9112 6.3: two framings, or a doubtful one, is how requests are smuggled; to pick one is to guess",
    cases: [
      "two lengths in one field",
      "the same length twice",
      "a length on a folded line",
      "a length and chunks",
      "chunks and a length",
      "chunks and a length of 0",
      "a request inside a body with two framings",
      "chunked with a comma behind it",
      "a space before its name",
      "a coding on a folded line",
    ],
  },
  {
    because: "RFC 9112 7.1: chunks go on as they came, so a line that somebody could end elsewhere may not",
    cases: [
      "whitespace behind a size",
      "whitespace before an extension",
      "a size that ends with LF",
      "an extension that ends with LF",
      "an extension with a NUL",
      "a chunk that ends with LF",
      "a chunk shorter than it said",
      "a last chunk that ends with LF",
      "trailers that end with LF",
      "trailers that are not whole yet",
      "an end of LF",
      "a trailer without a colon",
      "a folded trailer",
      "a trailer without a name",
      "a trailer with a space before its colon",
      "a trailer with a NUL",
    ],
  },
  {
    because: "a bound of the gate's own (ARCHITECTURE.md, Limits): memory and time of a request are bounded",
    cases: [
      "a method of 33 octets",
      "a method that goes on and on",
      "a target that does not fit the head",
      "257 fields",
      "a head beyond the limit",
      "Connection of more than 256 octets",
      "Connections of more than 256 octets",
      "an extension of more than a kilobyte",
      "trailers of more than 8 KiB",
      "more than 256 trailers",
    ],
  },
];

/** One of them refuses what the gate sends on: the message can be read in one way alone. */
export const SENT: readonly Reason[] = [
  {
    because: "RFC 9110 9.1: a method is any token, in any case; new ones are no fault",
    cases: [
      "a method in lower case is another method",
      "a method of every sign a token has",
      "garbage behind a body",
    ],
  },
  {
    because:
      "what a path means is its routes' word: they judge it where they match by path (config.md, encodedSlash)",
    cases: [
      "dot segments are the routes' to judge",
      "a percent that encodes nothing is the routes' to judge",
    ],
  },
  {
    because:
      "RFC 9112 3.2: targets that every server has to take; what goes on is one authority, in Host alone",
    cases: [
      "the asterisk with OPTIONS",
      "its authority replaces a Host that differs",
      "an absolute target with a query alone",
      "an IPv6 address as authority",
    ],
  },
  {
    because:
      "RFC 9112 5: whitespace around a value is none of it, and a coding has no case; both go on in one spelling",
    cases: [
      "a Host with whitespace around it",
      "a length with a tab before it",
      "a coding in capitals goes on in one spelling",
    ],
  },
  { because: "a bound of HAProxy's own: 101 fields", cases: ["256 fields"] },
];

/** Both refuse what the gate sends on. */
export const SENT_ALONE: readonly Reason[] = [
  {
    because:
      "RFC 9112 3.2.2: the target's authority replaces Host, whatever that says; one Host goes on, the target's",
    cases: ["an empty Host beside an absolute target"],
  },
];

/** As many go on, in other words. */
export const WRITTEN: readonly Reason[] = [
  {
    because:
      "RFC 9112 3.2.4: a proxy sends on a question about the whole server as `*`; nginx makes a path of it",
    cases: ["OPTIONS of a whole server"],
  },
];
