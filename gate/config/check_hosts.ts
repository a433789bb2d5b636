/** Where names live, and what is spoken on the way there: layers have what they need, and nothing that they do not tell. */
import { isUnixHost } from "../address.ts";
import type { HostConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Sections } from "./sections.ts";
import { nodeAt, type Path } from "./tree.ts";

export function checkHosts({ hosts, rest }: Pick<Sections, "hosts" | "rest">, findings: Findings): void {
  const section = nodeAt(findings.root, ["hosts"]);
  for (const [name, { value }] of section?.kind === "map" ? section.entries : []) {
    const keys = value.kind === "map" ? value.entries : undefined;
    if (name.startsWith("*") && keys?.has("addresses") && !keys.has("via")) {
      findings.errorAtKey(["hosts", name], "a pattern needs via: addresses are of one host");
    }
  }
  for (const { path, value } of hosts.items.values()) checkLayers(path, value, findings);
  if (hosts.items.size > 0 && !rest.discovery.includes("file")) {
    findings.warn(["hosts"], "nothing asks for them: discovery has no file");
  }
}

/** Kinds of identities that each layer can prove, the strongest layer first. */
const PROVEN: Readonly<Record<string, readonly string[]>> = {
  ssh: ["key:ID", "ssh:SHA256:…"],
  tls: ["key:ID", "spiffe://…"],
};

/** What its layers need, and what they have no use for. */
function checkLayers(
  path: Path,
  { via, layers, identity, user, credentials }: HostConfiguration,
  findings: Findings,
): void {
  if (!via) return;
  const has = (layer: string) => layers.includes(layer);
  const error = (key: string, why: string) => findings.error([...path, key], why);
  if (via.port === 0 && !isUnixHost(via.host)) error("via", `needs a port: ${layers[0]} has none of its own`);
  if (layers.at(-1) === "tls") {
    error("layers", "tls asks nobody for the name: something that does belongs inside it");
  }
  if (user !== undefined && !has("ssh")) error("user", "needs ssh in layers: nobody else is told");
  if (credentials !== undefined && !has("socks") && !has("connect")) {
    error("credentials", "needs socks or connect in layers: ssh logs in with ssh.identities and user");
  }
  if (identity === undefined) return;
  const layer = Object.keys(PROVEN).find(has), kinds = layer === undefined ? [] : PROVEN[layer];
  if (kinds.some((kind) => identity.startsWith(kind.slice(0, kind.indexOf(":") + 1)))) return;
  error(
    "identity",
    layer === undefined
      ? "needs ssh or tls in layers: nothing else proves who is there"
      : `${layer} does not prove it: expected ${kinds.join(" or ")}`,
  );
}
