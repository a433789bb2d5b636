/** What the options of an authorized key mean: plain data, as engines get it. */
import { parseTarget } from "../../../gate/address.ts";
import type { KeyOptions, Permitted } from "../../../gate/identity/logins.ts";
import { readExpiry } from "./expiry.ts";
import { Refusal } from "./fields.ts";
import { MistakeAt, type WrittenOption } from "./option_text.ts";
import { sourcePatterns } from "./sources.ts";

type Draft = { -readonly [K in keyof KeyOptions]: KeyOptions[K] };

/** What no option says. */
const PLAIN: KeyOptions = { forwarding: true, pty: true, touch: true, verified: false, authority: false };
/** What sshd has and we have not: nothing that could be allowed or forbidden. */
const WITHOUT_MEANING = ["agent-forwarding", "x11-forwarding", "user-rc"];
const MOST_PERMITTED = 256, MOST_PRINCIPALS = 256;
const ROLE_VARIABLE = "UGATE_ROLE", OUR_VARIABLES = "UGATE_";
const VARIABLE = /^([A-Za-z0-9_]+)=(.*)$/s, ROLE = /^[A-Za-z0-9._-]{1,64}$/;
/** With a star or a question mark in it. */
const HOST_PATTERN = /^(?=.*[*?])[a-z0-9_.*?-]+$/;
const PORT = /^[1-9][0-9]{0,4}$/;

/** Throws MistakeAt for an option that is not known, or has another form: the line is worth nothing then. */
export function keyOptions(written: readonly WrittenOption[]): KeyOptions {
  const options: Draft = { ...PLAIN };
  for (const option of written) {
    const fault = option.value === undefined ? setFlag(options, option.name) : setValue(options, option);
    if (fault !== undefined) throw new MistakeAt(option.at, fault);
  }
  if (options.principals && !options.authority) throw new MistakeAt(0, "principals is for cert-authority");
  return options;
}

/** What is wrong; undefined: nothing. */
function setFlag(options: Draft, name: string): string | undefined {
  if (name === "cert-authority") return void (options.authority = true);
  if (name === "restrict") return void Object.assign(options, { forwarding: false, pty: false });
  if (name === "verify-required") return void (options.verified = true);
  const allowed = !name.startsWith("no-"), bare = allowed ? name : name.slice(3);
  if (bare === "port-forwarding") return void (options.forwarding = allowed);
  if (bare === "pty") return void (options.pty = allowed);
  if (bare === "touch-required") return void (options.touch = allowed);
  return WITHOUT_MEANING.includes(bare) ? undefined : `unknown option ${JSON.stringify(name)}`;
}

function setValue(options: Draft, { name, value = "" }: WrittenOption): string | undefined {
  switch (name) {
    case "from":
      return once(options, "from", sourcePatterns(value));
    case "command":
      return once(options, "command", value);
    case "principals":
      return once(options, "principals", principalsIn(value));
    case "expiry-time": {
      const until = readExpiry(value);
      if (until instanceof Refusal) return until.why;
      return void (options.until = Math.min(until, options.until ?? Infinity)); // the earliest, as with sshd
    }
    case "permitopen":
      return permit(options, "permitOpen", value);
    case "permitlisten":
      return permit(options, "permitListen", value);
    case "environment":
      return setVariable(options, value);
    case "tunnel": // we have none
      return /^(any|[0-9]{1,9})$/.test(value) ? undefined : "expected the number of a tunnel";
    default:
      return `unknown option ${JSON.stringify(name)}`;
  }
}

function once<K extends keyof Draft>(options: Draft, key: K, value: Draft[K] | Refusal): string | undefined {
  if (value instanceof Refusal) return value.why;
  if (options[key] !== undefined) return "it is given twice";
  options[key] = value;
  return undefined;
}

function principalsIn(text: string): string[] | Refusal {
  const names = text.split(",");
  if (names.includes("") || names.length > MOST_PRINCIPALS) {
    return new Refusal(`expected 1 to ${MOST_PRINCIPALS} names with commas between`);
  }
  return names;
}

function permit(options: Draft, key: "permitOpen" | "permitListen", text: string): string | undefined {
  const permitted = permittedIn(text, key === "permitListen"), before = options[key] ?? [];
  if (permitted === undefined) return `expected host:port, got ${JSON.stringify(text)}`;
  if (before.length === MOST_PERMITTED) return `more than ${MOST_PERMITTED} of them`;
  options[key] = [...before, permitted];
  return undefined;
}

/**
 * `host:port`, `[v6]:port`; the port may be `*`, and the host, which for -L is no other pattern. For -R it may be one, and
 * may be left out.
 */
function permittedIn(text: string, listening: boolean): Permitted | undefined {
  const colon = text.lastIndexOf(":");
  if (colon < 0 && !listening) return undefined;
  const host = colon < 0 ? "*" : text.slice(0, colon).toLowerCase(), written = text.slice(colon + 1);
  const port = written === "*" ? undefined : Number(written);
  if (port !== undefined && (!PORT.test(written) || port > 65535)) return undefined;
  if (host === "*" || listening && HOST_PATTERN.test(host)) return { host, port };
  const target = parseTarget(`${host}:${port ?? 1}`);
  return target && { host: target.host, port };
}

/** Variables of others have no meaning here; one of ours that is misspelled must not get lost. */
function setVariable(options: Draft, text: string): string | undefined {
  const [, name, value] = VARIABLE.exec(text) ?? [];
  if (name === undefined) return `expected NAME=value, got ${JSON.stringify(text)}`;
  if (name !== ROLE_VARIABLE) {
    return name.startsWith(OUR_VARIABLES) ? `unknown variable ${JSON.stringify(name)}` : undefined;
  }
  if (!ROLE.test(value)) return `expected a role of letters, digits, ".", "_" and "-"`;
  return once(options, "role", value);
}
