/** Which names somebody who has logged in may take, and which of them a request of -R is about. Pure. */
import { normalName } from "../../../gate/address.ts";
import { nodeNames, readNodeId } from "../../../gate/identity/node_id.ts";
import { MESH_SSH } from "../../../gate/mesh/live_names.ts";
import type { Permitted } from "../../../gate/identity/logins.ts";
import type { Grant } from "../keys/login.ts";
import { isForPort, literalsOf } from "./permits.ts";

const SSH_PORT = 22;
/** For these, and 0, no socket is opened: they are ports of names. */
const PORTS_OF_NAMES: readonly number[] = [0, SSH_PORT, 80, 443, MESH_SSH];
/** Names of one request. */
const MOST_NAMES = 64;
const KEY = "key:";
const LABEL = /^[A-Za-z0-9_-]+$/;
/** Of a grant: no file has the key. */
const POLICY = "policy";

/** A name, and the port at which it is offered. */
export interface NamePort {
  readonly name: string;
  readonly port: number;
}

/**
 * What a request of -R makes reachable by name: where its address is one of the client's own names that one, and for ports
 * of names all that he has. undefined: it is about a socket. Empty: about names of which he has none.
 */
export function namesAskedFor(
  grant: Grant,
  domain: string,
  address: string,
  port: number,
): readonly NamePort[] | undefined {
  const isName = literalsOf(address) === undefined, offered = port === 0 ? MESH_SSH : port;
  if (!isName && !PORTS_OF_NAMES.includes(port)) return undefined;
  const name = isName ? normalName(address) : undefined;
  if (isName) return name === undefined ? [] : named(grant, domain, name, offered);
  const names = new Set([
    ...idsOf(grant).map((id) => nodeNames(id, domain)[0]),
    ...grant.principals.map((principal) => principalName(principal, domain)),
    ...permittedNames(grant, domain).map(({ host }) => host),
  ]);
  const all = Array.from(names, (one) => one === undefined ? [] : named(grant, domain, one, offered));
  return all.flat().slice(0, MOST_NAMES);
}

/** Why he has no such name, and what would give it to him. */
export function whyNoName(grant: Grant, domain: string, address: string, port: number): string {
  if (idsOf(grant).length === 0) return "a token gives no names: log in with a key or a certificate";
  const name = normalName(address);
  if (name === undefined || !name.endsWith(`.${domain}`)) return `names end in .${domain}`;
  if (readNodeId(name.split(".", 1)[0]) !== undefined) return "it is the name of another key";
  const remedy = `permitlisten="${name}:${port === 0 ? SSH_PORT : port}" in the line of its key does, ` +
    "and a certificate with that principal";
  return grant.by === POLICY
    ? `the rule of policy that lets this key in gives it no name: ${remedy}`
    : `nothing gives it to this key: ${remedy}`;
}

/** Whether that name may be offered at that port: as itself, or as what it may be offered at instead. */
function named(grant: Grant, domain: string, name: string, port: number): NamePort[] {
  const ids = idsOf(grant), [label] = name.split(".", 1);
  if (ids.some((id) => nodeNames(id, domain).includes(name))) return [{ name, port }];
  if (readNodeId(label) !== undefined) return []; // it belongs to the key with this ID
  if (grant.principals.some((one) => principalName(one, domain) === name)) return [{ name, port }];
  const lines = permittedNames(grant, domain).filter(({ host }) => host === name);
  if (lines.some((line) => isForPort(line, port))) return [{ name, port }];
  const isSsh = port === MESH_SSH && lines.some((line) => line.port === SSH_PORT);
  return isSsh ? [{ name, port: SSH_PORT }] : [];
}

const idsOf = ({ identity }: Grant): string[] =>
  identity.names.filter((name) => name.startsWith(KEY)).map((name) => name.slice(KEY.length));

/**
 * undefined: it is none that a name could begin with. What is not of ASCII has to be an A-label: what UTS 46 makes of it
 * may be another principal, or have a dot in it.
 */
const principalName = (principal: string, domain: string): string | undefined =>
  LABEL.test(principal) ? normalName(`${principal}.${domain}`) : undefined;

/** Of permitlisten those that are a name of the mesh each, and no pattern. */
const permittedNames = ({ permitListen = [] }: Grant, domain: string): readonly Permitted[] =>
  permitListen.filter(({ host }) => host.endsWith(`.${domain}`) && normalName(host) === host);
