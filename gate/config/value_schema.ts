/** Values that several keys of ugate.yaml have. */
import { z } from "zod";
import * as scalars from "./scalars.ts";
import { Mistake } from "./scalars.ts";
import { integer, oneOrMany, scalar, size } from "./shapes.ts";

export const text = (expected: string) => scalar(expected, (written) => written || new Mistake(expected));
export const name = scalar(scalars.NAME, scalars.readName);

/** Which names there are the registry says: see json_schema.ts. */
export const protocol = text("the name of a protocol");

export const layer = text("the name of a protocol");
export const domain = scalar("a name", scalars.readDomain);
export const user = scalar("a user name without a colon", scalars.readUser);
export const target = scalar(scalars.TARGET, scalars.readTarget);
export const backend = scalar(scalars.BACKEND, scalars.readBackend);
export const CONTENT = size(0, 1024 ** 4);
export const CONNECTIONS = integer(1, 10_000_000);
export const issuerUrl = scalar(scalars.ISSUER, scalars.readIssuer);
export const listen = scalar(scalars.LISTEN, scalars.readListen);
export const cidrs = oneOrMany(scalar("a network such as 10.0.0.0/8 or fd00::/8", scalars.readCidr));
export const pattern = scalar(scalars.PATTERN, scalars.readPattern);

/** Port ranges may be numbers for a reader of YAML. */
export const ports = scalar('a port or a range such as 443 or "8000-8999"', scalars.readPorts, {
  anyOf: [{ type: "integer", minimum: 1, maximum: 65535 }, { type: "string" }],
});

export const pemFile = (what: string) => keyFile(`${what} in PEM`);

export const keyFile = (what: string) => {
  const expected = `the path of a file with ${what}`;
  return scalar(expected, (path) => path === "" || path.includes("\n") ? new Mistake(expected) : path);
};

export const users = z.record(
  user,
  scalar("a password, or a hash as `ugate hash` prints it", scalars.readPassword),
  { error: "expected a map of user names and passwords" },
).refine((users) => Object.keys(users).length > 0, { error: "expected at least one" });
