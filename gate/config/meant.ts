/**
 * What a text that is wrong was most likely meant as, with the text itself in it: whoever tells it sees to it that it may
 * be shown. undefined: nobody knows.
 */
import { formatIp, normalName, parseIp, parseTarget } from "../address.ts";

const PORT_ALONE = /^:?([0-9]{1,5})$/;

/** In place of `host:port`. */
export function targetMeant(text: string): string | undefined {
  const [, port] = PORT_ALONE.exec(text) ?? [];
  if (port !== undefined) return `a target with its host, such as 127.0.0.1:${port}`;
  return normalName(text) === undefined ? undefined : `a target with its port, such as ${text}:443`;
}

/** In place of `http://host:port`; `scheme` is that of the text, with its slashes. */
export function urlMeant(text: string, scheme: string): string | undefined {
  const [host, ...path] = text.slice(scheme.length).split("/");
  const whole = parseTarget(host) ? host : `${host}:${scheme.startsWith("https") ? 443 : 80}`;
  if (parseTarget(whole) === undefined) return undefined;
  const example = `such as ${scheme}${whole}`;
  if (path.length === 0) return `a target with its port, ${example}`;
  if (path.join("") === "") return `a target without a slash at its end, ${example}`;
  return `a target without a path, ${example} (rewrite.path puts one in front of requests)`;
}

/** In place of the same or of `host:port`: requests need a scheme. */
export function backendMeant(text: string): string | undefined {
  if (/^wss?:\/\//i.test(text)) return "a target such as http://host:port, which carries WebSockets too";
  if (/^(?:h2c?|grpcs?):\/\//i.test(text)) return "a target such as http://host:port, spoken to in HTTP/1.1";
  const [, port] = PORT_ALONE.exec(text) ?? [];
  const whole = port === undefined ? `${text}:80` : `127.0.0.1:${port}`;
  if (text.includes("://") || parseTarget(whole) === undefined) return undefined;
  const lacks = port === undefined ? "port" : "host";
  return `a target with its ${lacks}, such as ${whole}, or http://${whole} for requests`;
}

/** In place of a path with segments that other programs fill (`{id}`, `:id`). */
export function variableMeant(path: string): string | undefined {
  const parts = path.split(/(?<=\/)(\{[^/{}]*\}|:\w+)(?=\/|$)/);
  if (parts.length === 1) return undefined;
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = parts.map((part, at) => at % 2 > 0 ? "[^/]+" : literal(part)).join("");
  return `{ regex: '^${pattern}$' } matches whatever stands there`;
}

/** In place of an address to listen on. */
export function addressMeant(text: string): string | undefined {
  if (/^[0-9]{1,5}$/.test(text)) return `an address such as ":${text}", which is that port on every address`;
  const ip = parseIp(text);
  if (ip === undefined) return undefined;
  return `an address with its port, such as "${text.includes(":") ? `[${formatIp(ip)}]` : formatIp(ip)}:80"`;
}

export const durationMeant = (text: string): string | undefined =>
  /^[1-9][0-9]{0,5}$/.test(text) ? `a duration with its unit, such as ${text}s` : undefined;

export function sizeMeant(text: string): string | undefined {
  const [, many, letter] = /^([0-9]{1,10}) ?([kmg])(?:i?b)?$/i.exec(text) ?? [];
  if (many !== undefined) return `a size such as ${many}${letter.toUpperCase()}iB`;
  return /^[0-9]{1,10}$/.test(text) ? `a size with its unit, such as ${text}B or ${text}MiB` : undefined;
}
