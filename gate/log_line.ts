/** The forms of the log: aligned logfmt for people at a terminal, JSON lines for programs. */
import type { Peer } from "./contracts.ts";
import type { Fields, Level, LogEvent, Message } from "./log.ts";

/** `colored` is text with colors, for a terminal. */
export type LogFormat = "text" | "colored" | "json";

/** `log.format` as it is meant where the log goes to: a terminal or not, which wants colors or not (NO_COLOR). */
export function logFormat(
  configured: "auto" | "text" | "json",
  to: { readonly terminal: boolean; readonly colors: boolean },
): LogFormat {
  if (configured === "json" || (configured === "auto" && !to.terminal)) return "json";
  return to.terminal && to.colors ? "colored" : "text";
}

/** The line of a message, with its newline. `time` in ms since the epoch. */
export function messageLine(
  format: LogFormat,
  { level, event, text, fields }: Message,
  time = Date.now(),
): string {
  if (format === "json") return `${jsonLine(time, level, event, { message: text, ...fields })}\n`;
  return `${head(format, time, level, event)}${printable(text)}\n`;
}

/** The line of a connection or of a request, without a newline. `time` in ms since the epoch. */
export function recordLine(
  format: LogFormat,
  level: Level,
  time: number,
  fields: Fields,
  event: LogEvent = "connection",
): string {
  if (format === "json") return jsonLine(time, level, event, fields);
  let line = head(format, time, level, event);
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const fact = `${name}=${quoted(value)}`.padEnd(WIDTHS[name] ?? 0);
    line += ` ${name === "outcome" ? paint(format, value === "ok" ? GREEN : YELLOW, fact) : fact}`;
  }
  return line;
}

/** Put together from two objects' texts: spreading them into one would double the cost of a line. */
const jsonLine = (
  time: number,
  level: Level,
  event: LogEvent,
  told: Fields & { readonly message?: string },
): string =>
  visible(
    `{"time":"${isoTime(time)}","level":"${level}","event":"${event}",${JSON.stringify(told).slice(1)}`,
  );

let lastTime = NaN, lastIso = "";

/** RFC 3339, UTC. Lines come many in a millisecond. */
export function isoTime(time: number): string {
  if (time === lastTime) return lastIso;
  lastTime = time;
  return lastIso = new Date(time).toISOString();
}

/** Columns of the text form: those that nearly every line has, at their usual lengths. */
const WIDTHS: Readonly<Record<string, number>> = { outcome: 19, ms: 8, listener: 15, protocol: 16, peer: 26 };
const LEVEL_WIDTH = 5, EVENT_WIDTH = 10;

/** Of ECMA-48's SGR. */
const DIM = 2, RED = 31, GREEN = 32, YELLOW = 33;
const LEVEL_COLORS: Readonly<Record<Level, number>> = { debug: DIM, info: 0, warn: YELLOW, error: RED };

const paint = (format: LogFormat, color: number, text: string): string =>
  format === "colored" && color > 0 ? `\x1b[${color}m${text}\x1b[0m` : text;

function head(format: LogFormat, time: number, level: Level, event: LogEvent): string {
  const at = paint(format, DIM, isoTime(time));
  return `${at} ${paint(format, LEVEL_COLORS[level], level.padEnd(LEVEL_WIDTH))} ${
    event.padEnd(EVENT_WIDTH)
  }`;
}

/** A value that is not plain is quoted, so that nothing a client sent can forge a field or a line. */
function quoted(value: string | number): string {
  return typeof value === "number" || /^[\w.:,/@[\]*+-]+$/.test(value)
    ? String(value)
    : visible(JSON.stringify(value));
}

/** DEL, the second set of controls (CSI is one of them), and what turns or hides text: JSON leaves them as they are. */
const UNSEEN = "\\x7f-\\x9f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff";
const UNSEEN_IN_JSON = new RegExp(`[${UNSEEN}]`, "g");
const UNSEEN_IN_TEXT = new RegExp(`[\\x00-\\x1f${UNSEEN}]`, "g");

const PLAIN = /^[\x20-\x7e]*$/;

const SIMPLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A text as JSON that no terminal obeys. */
export const jsonText = (text: string): string =>
  SIMPLE.test(text) ? `"${text}"` : visible(JSON.stringify(text));

/** An empty text is nothing to tell. */
export const told = (text: string): string | undefined => text === "" ? undefined : text;

/** Of a time that was measured, whole ms. */
export const whole = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.round(ms);

/** `192.0.2.1:4711`, `[2001:db8::1]:4711`, or `unix`. */
export function peerText({ address, port }: Peer): string {
  if (port === undefined) return address;
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** The outermost first. */
export const layersText = ({ layers }: Peer): string => layers.length === 1 ? layers[0] : layers.join(",");

const escaped = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** JSON that no terminal obeys. What is plain throughout is found out in half the time. */
const visible = (json: string): string => PLAIN.test(json) ? json : json.replace(UNSEEN_IN_JSON, escaped);

/** Sentences that no terminal obeys; what follows a newline (a stack) is indented, so that no line is forged. */
const printable = (text: string): string =>
  text.split("\n").map((line) => ` ${line.replace(UNSEEN_IN_TEXT, escaped)}`).join("\n   ");
