/** What a request for a file is answered: a head, and octets of memory or of the file behind it. */
import type { FilesSite } from "../../../gate/requests.ts";
import type { OpenFile } from "../../../gate/engine/file_access.ts";
import { asGateError, type Failure } from "../../../gate/errors.ts";
import { failureAnswer } from "../answer.ts";
import { octets } from "../octets.ts";
import type { OwnAnswer } from "../own_answer.ts";
import { reasonPhrase } from "../reasons.ts";
import type { Asked } from "./asked.ts";
import { type ByteRange, byteRanges } from "./byte_ranges.ts";
import { locate } from "./located.ts";
import { contentType } from "./content_type.ts";
import { rangeHolds, unmet, type Validators } from "./preconditions.ts";

/** In this order; `head` is the whole of it, and the file is whose answer it is to close. */
export interface FileAnswer {
  readonly head: Uint8Array;
  readonly file: OpenFile;
  readonly pieces: readonly (Uint8Array | ByteRange)[];
}

export function answerOf(site: FilesSite, asked: Asked): FileAnswer | OwnAnswer {
  const located = tryToLocate(site, asked.path);
  if ("status" in located) return located;
  if (located.is === "absent") return failureAnswer(404, "no-route", { sentence: "There is no such file." });
  if (located.is === "directory") return moved(`${located.path}/${asked.query}`);
  return fileAnswer(located.file, located.name, asked);
}

function tryToLocate(site: FilesSite, path: string) {
  try {
    return locate(site, path);
  } catch (thrown) {
    const { failure } = asGateError(thrown);
    return failureAnswer(STATUS[failure] ?? 500, failure, { sentence: "The file cannot be read." });
  }
}

const STATUS: Partial<Readonly<Record<Failure, number>>> = { denied: 403, exhausted: 503 };

/** The path is in normal form, so that it begins with one slash and cannot be another host's. */
const moved = (path: string): OwnAnswer => ({
  status: 301,
  fields: [`Location: ${path}`, "Content-Type: text/plain; charset=utf-8"],
  body: octets("This is a directory: its path ends with a slash.\n"),
});

function fileAnswer(file: OpenFile, name: string, asked: Asked): FileAnswer {
  const { size } = file, validators = validatorsOf(file);
  const told = [
    `Last-Modified: ${new Date(validators.modified * 1000).toUTCString()}`,
    `ETag: ${validators.etag}`,
  ];
  const type = `Content-Type: ${contentType(name)}`;
  const state = unmet(asked, validators);
  if (state !== undefined) {
    return { head: headOf(state, told, state === 304 ? undefined : 0), file, pieces: [] };
  }
  const ranges = asked.range !== undefined && !asked.isHead && rangeHolds(asked, validators)
    ? byteRanges(asked.range, size)
    : undefined;
  told.push("Accept-Ranges: bytes");
  if (ranges === "none") {
    return { head: headOf(416, [...told, `Content-Range: bytes */${size}`], 0), file, pieces: [] };
  }
  if (ranges === undefined) {
    const pieces = asked.isHead ? [] : [{ from: 0, size }];
    return { head: headOf(200, [...told, type], size), file, pieces };
  }
  if (ranges.length > 1) return multipart(file, ranges, told, type);
  const [range] = ranges;
  const fields = [...told, type, `Content-Range: ${contentRange(range, size)}`];
  return { head: headOf(206, fields, range.size), file, pieces: ranges };
}

/** RFC 9110 14.6. */
function multipart(
  file: OpenFile,
  ranges: readonly ByteRange[],
  told: readonly string[],
  type: string,
): FileAnswer {
  const boundary = `ugate-${crypto.randomUUID()}`;
  const pieces = ranges.flatMap((range, i) => [
    octets(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\n${type}\r\nContent-Range: ${
        contentRange(range, file.size)
      }\r\n\r\n`,
    ),
    range,
  ]);
  pieces.push(octets(`\r\n--${boundary}--\r\n`));
  const size = pieces.reduce((sum, piece) => sum + ("from" in piece ? piece.size : piece.length), 0);
  const fields = [...told, `Content-Type: multipart/byteranges; boundary=${boundary}`];
  return { head: headOf(206, fields, size), file, pieces };
}

const contentRange = ({ from, size }: ByteRange, whole: number): string =>
  `bytes ${from}-${from + size - 1}/${whole}`;

/** Another file, or another state of it, has another tag: its time is told to the nanosecond. */
function validatorsOf({ seconds, nanoseconds, size }: OpenFile): Validators {
  const [time, rest, bytes] = [seconds, nanoseconds, size].map((number) => number.toString(16));
  return { etag: `"${time}.${rest}-${bytes}"`, modified: seconds };
}

/** `length`: of the content; undefined: a 304, which has none. */
function headOf(status: number, fields: readonly string[], length: number | undefined): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${reasonPhrase(status)}`,
    `Date: ${new Date().toUTCString()}`,
    ...fields,
    ...length === undefined ? [] : [`Content-Length: ${length}`],
  ];
  return octets(`${lines.join("\r\n")}\r\n\r\n`);
}
