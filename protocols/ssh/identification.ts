/** The first line of each side (RFC 4253 4.2), and the lines that a server may write before it. */
import type { GateError, Side } from "../../gate/errors.ts";
import { malformed, SshError, who } from "./failure.ts";
import { VERSION_NOT_SUPPORTED } from "./numbers.ts";

/** Ours, without CR LF. */
export const IDENTIFICATION = "SSH-2.0-ugate";

/** Bytes of a line with its CR LF; of what a server writes before. */
const MOST_LINE = 255, MOST_BEFORE = 8192;
const LF = 10, CR = 13;
const latin1 = new TextDecoder("latin1"), encoder = new TextEncoder();

/** Reads the peer's line, in whatever parts it comes. */
export class Identification {
  /** The line without CR LF, once it is there. */
  line: string | undefined;
  #begun = "";
  #before = 0;

  /** `side`: who writes it. Only a server may write other lines before. */
  constructor(readonly side: Side) {}

  /** Takes of the bytes what is part of it, up to `end`; where the rest begins. Throws GateError. */
  take(bytes: Uint8Array, at: number, end: number): number {
    while (at < end && this.line === undefined) {
      const lf = bytes.indexOf(LF, at), found = lf >= 0 && lf < end;
      const to = found ? lf : end;
      if (this.#begun.length + to - at >= MOST_LINE) this.#tooLong();
      this.#begun += latin1.decode(bytes.subarray(at, to));
      at = found ? lf + 1 : end;
      if (found) this.#line();
      else this.#early();
    }
    return at;
  }

  #line(): void {
    const text = this.#begun.charCodeAt(this.#begun.length - 1) === CR
      ? this.#begun.slice(0, -1)
      : this.#begun;
    this.#begun = "";
    if (text.startsWith("SSH-")) {
      this.line = checked(text, this.side);
      return;
    }
    if (this.side !== "upstream") throw this.#none();
    this.#before += text.length + 1;
    if (this.#before > MOST_BEFORE) this.#tooLong();
  }

  /** A client whose first bytes are something else is not waited for. */
  #early(): void {
    if (this.side !== "upstream" && !"SSH-".startsWith(this.#begun.slice(0, 4))) throw this.#none();
  }

  #none(): GateError {
    return malformed(this.side, "begin SSH", `${who(this.side)} does not tell its version first`);
  }

  #tooLong(): never {
    throw malformed(this.side, "begin SSH", `${who(this.side)} writes too much before its version`);
  }
}

/** `SSH-protoversion-softwareversion SP comments`; 1.99 speaks 2.0 as well (RFC 4253 5.1). */
function checked(line: string, side: Side): string {
  const [, version] = /^SSH-([^-]+)-[\x20-\x7e\x80-\xff]+$/.exec(line) ?? [];
  if (version === undefined) throw malformed(side, "begin SSH", `${who(side)} has a broken version line`);
  if (version === "2.0" || version === "1.99") return line;
  const state = `${who(side)} speaks version ${JSON.stringify(version.slice(0, 20))}`;
  throw new SshError(VERSION_NOT_SUPPORTED, "unsupported", side, `Cannot begin SSH: ${state}`);
}

/** As it was sent, for the hash: an octet a character. */
export function octetsOf(line: string): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(line.length);
  for (let i = 0; i < line.length; i++) octets[i] = line.charCodeAt(i);
  return octets;
}

/** Our line, as it is sent. */
export const identificationLine = (line: string): Uint8Array<ArrayBuffer> => encoder.encode(`${line}\r\n`);
