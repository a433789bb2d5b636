/** From files to a configuration: the one way in. What parses and checks is loaded when it is first needed. */
import type { Protocols } from "../contracts.ts";
import { NODE_SUFFIXES } from "../identity/node_id.ts";
import type {
  Configuration,
  IssuerConfiguration,
  ListenerConfiguration,
  RouteConfiguration,
} from "./configuration.ts";
import { completeNode, DEFAULT_CONFIGURATION, DEFAULT_FILE } from "./defaults.ts";
import { endingLogins } from "./ending_logins.ts";
import type { AcmeWants } from "./acme_wants.ts";
import type { Credentials, ReadFiles } from "./credentials.ts";
import type { Environment } from "./environment.ts";
import { type ConfigurationText, MOST_BYTES, TOO_LARGE } from "./files.ts";
import { mergeTrees } from "./merge.ts";
import { baseIn, type BaseOf, namedPath } from "./named_path.ts";
import { byPlace, ConfigurationError, Findings, type Problem } from "./problems.ts";
import type { Sections } from "./sections.ts";
import type { ReadNode } from "./node_files.ts";
import type { ReadLogins } from "./login_files.ts";
import type { ReadSsh } from "./ssh_files.ts";
import { type Reference, ReferencedFiles } from "./references.ts";
import { ConfigurationSource } from "./source.ts";
import { type Node, type Path, shown } from "./tree.ts";

export { ConfigurationError, type Problem } from "./problems.ts";

export interface Loaded {
  readonly config: Configuration;
  /** What was read; none: the built-in default. */
  readonly files: readonly string[];
  /** Of what was read; the built-in default's too. */
  readonly texts: readonly ConfigurationText[];
  /** Keys and roots of the files that it names. */
  readonly credentials: Credentials;
  /** Those files. */
  readonly references: readonly Reference[];
  /** Each with its place. */
  readonly warnings: readonly string[];
  /** What holds, in the spelling of ugate.yaml: defaults included, `${NAME}` not replaced, secrets as `***`. */
  readonly shown: unknown;
  /** It worked last, and what is in the files now is broken. */
  readonly lastGood?: true;
}

/** parseConfiguration, on this thread or another. */
export type Parse = (texts: readonly ConfigurationText[]) => Promise<Loaded>;

/**
 * The configuration at `path` (a file or a directory), else of `$UGATE_CONFIG`, ./ugate.yaml or
 * /etc/ugate/ugate.yaml, else the built-in default. Throws ConfigurationError with every mistake.
 */
export async function loadConfiguration(
  path: string | undefined,
  protocols: Protocols,
  env: Environment = Deno.env,
): Promise<Loaded> {
  const parse: Parse = (texts) => parseConfiguration(texts, protocols, env);
  return await loadFrom(new ConfigurationSource(path, env), parse);
}

/** What is there now, else the built-in default. Throws ConfigurationError with every mistake. */
export async function loadFrom(source: ConfigurationSource, parse: Parse): Promise<Loaded> {
  const texts = await source.read();
  try {
    const loaded = await parse(texts ?? [{ file: DEFAULT_FILE, text: DEFAULT_CONFIGURATION }]);
    source.attend(loaded.references);
    return texts ? loaded : { ...loaded, files: [] };
  } catch (thrown) {
    source.attend(thrown instanceof ConfigurationError ? thrown.references : []);
    throw thrown;
  }
}

/** The configuration that these texts are together. Throws ConfigurationError with every mistake. */
export async function parseConfiguration(
  texts: readonly ConfigurationText[],
  protocols: Protocols,
  env: Environment = Deno.env,
): Promise<Loaded> {
  const problems: Problem[] = [];
  const root = await readRoot(texts, env, problems);
  if (root === undefined) throw new ConfigurationError(problems);
  const findings = new Findings(root, problems);
  const { readSections } = await import("./sections.ts");
  const { checkSections } = await import("./check.ts");
  const { effective } = await import("./effective.ts");
  const { acmeWants } = await import("./acme_wants.ts");
  const { checkTls } = await import("./check_tls.ts");
  const { readIssuers } = await import("./issuers.ts");
  const sections = readSections(findings), named = new ReferencedFiles(), baseOf = baseIn(texts);
  checkSections(sections, protocols, findings);
  const read = await readNamedFiles(sections, named, findings, baseOf);
  const node = await readNode(sections, named, findings, baseOf);
  const ssh = await readSsh(sections, named, findings, baseOf);
  const logins = await readLogins(sections, protocols, named, findings, baseOf);
  const issuers = await readIssuers(sections.issuers.items, named, findings, baseOf);
  const wants = acmeWants({ ...sections, ...read }, protocols);
  const registered = logins && (sections.node.domain || NODE_SUFFIXES[0]);
  checkTls({ ...sections, ...read, node: sections.node, ...wants, registered }, protocols, findings);
  const routes = await readContentOf(sections, findings, baseOf);
  const settings = nodeOf(sections, findings, baseOf);
  const references = await named.references();
  if (problems.length > 0) throw new ConfigurationError(problems.sort(byPlace), references);
  const digest = node && { digest: node.digest };
  const config = configurationOf(
    {
      ...sections,
      routes,
      node: { ...settings, ...digest },
      ssh: { ...sections.ssh, digest: ssh?.digest, files: [...logins?.named ?? [], ...ssh?.named ?? []] },
    },
    { ...read, issuers },
    wants,
    env,
  );
  return {
    config,
    files: texts.map(({ file }) => file),
    texts,
    credentials: {
      keyPairs: read.keyPairs,
      roots: read.roots,
      upstreams: read.upstreams,
      acmeRoots: read.acmeRoots,
      ssh: ssh?.files,
      node: node?.given,
      logins: logins?.credentials,
    },
    references,
    warnings: findings.warnings,
    shown: effective(shown(root), config),
  };
}

/** What is kept is found again, from wherever the gate is started. */
function nodeOf({ node }: Sections, findings: Findings, baseOf: BaseOf): Sections["node"] {
  const { state } = node;
  return state === undefined
    ? node
    : { ...node, state: namedPath(["node", "state"], state, findings, baseOf) };
}

/** The code for certificates is loaded where one is named. */
async function readNamedFiles(
  { certificates, listeners, routes, acme: { value: acme } }: Sections,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadFiles> {
  const asking = Array.from(listeners.items.values()).filter(({ value }) => value.clientCertificates);
  const secure = routes.items.filter(({ value }) => value.to.some(({ secure }) => secure));
  if (certificates.items.length + asking.length + secure.length === 0 && !acme) {
    const nothing = { certificates: [], keyPairs: [], roots: {}, upstreams: {}, digests: {} };
    return { ...nothing, whole: certificates.whole };
  }
  const { readCredentials } = await import("./credentials.ts");
  const named = { certificates, listeners: asking, routes: secure, acme };
  return await readCredentials(named, files, findings, baseOf);
}

/** The same for what says who this gate is; undefined: nothing does. */
async function readNode(
  { node: { key, certificate, roots } }: Sections,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadNode | undefined> {
  if (key === undefined && roots === undefined) return undefined;
  const { readNodeFiles } = await import("./node_files.ts");
  return await readNodeFiles({ key, certificate, roots }, files, findings, baseOf);
}

/** The same for keys of SSH. */
async function readSsh(
  { ssh }: Sections,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadSsh | undefined> {
  if (!ssh.identities && !ssh.knownHosts) return undefined;
  const { readSshFiles } = await import("./ssh_files.ts");
  return await readSshFiles(ssh, files, findings, baseOf);
}

/** The same for who may log in; undefined: nobody does, for SSH ends elsewhere. */
async function readLogins(
  sections: Sections,
  protocols: Protocols,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadLogins | undefined> {
  const { ssh, listeners, routes } = sections;
  const ending = endingLogins({ listeners: valuesOf(listeners.items), routes: routesOf(routes) }, protocols);
  if (ending.length === 0) return undefined;
  const { readLoginFiles } = await import("./login_files.ts");
  const { checkGrants, checkLogins } = await import("./check_logins.ts");
  const [{ listener, reader }] = ending, at = [...listeners.items.get(listener)!.path, "protocols"];
  const read = await readLoginFiles(ssh, { reader, at }, files, findings, baseOf);
  checkLogins(sections, ending, read, findings);
  checkGrants(sections, read, findings);
  return read;
}

const routesOf = ({ items }: Sections["routes"]): RouteConfiguration[] => items.map(({ value }) => value);

const valuesOf = <T>(items: ReadonlyMap<string, { readonly value: T }>): Record<string, T> =>
  Object.fromEntries(Array.from(items, ([name, { value }]) => [name, value]));

/** The same for what serves content. */
async function readContentOf(
  { routes }: Sections,
  findings: Findings,
  baseOf: BaseOf,
): Promise<Sections["routes"]> {
  if (!routes.items.some(({ value: { http } }) => http?.files || http?.compress)) return routes;
  const { readContent } = await import("./content.ts");
  const pathOf = (path: Path, file: string) => namedPath(path, file, findings, baseOf);
  return { ...routes, items: await readContent(routes.items, findings, pathOf) };
}

/** One tree of all files, with the default listeners where there are none; undefined: there is nothing to check. */
export async function readRoot(
  texts: readonly ConfigurationText[],
  env: Environment,
  problems: Problem[],
): Promise<Node | undefined> {
  if (texts.reduce((sum, { text }) => sum + text.length, 0) > MOST_BYTES) {
    problems.push({ place: texts[0].file, path: "", message: TOO_LARGE });
    return undefined;
  }
  const { readTree } = await import("./document.ts");
  const trees = texts.map(({ file, text }) => readTree(file, text, env, problems));
  const read = trees.filter((tree) => tree !== undefined);
  if (read.length < trees.length) return undefined;
  const root = mergeTrees(read, problems);
  if (root.kind !== "map") {
    problems.push({
      place: texts[0].file,
      path: "",
      message: "expected a map of keys such as listeners and routes",
    });
    return undefined;
  }
  if (root.entries.has("listeners")) return root;
  const standard = readTree(DEFAULT_FILE, DEFAULT_CONFIGURATION, env, problems);
  const listeners = standard?.kind === "map" ? standard.entries.get("listeners") : undefined;
  return listeners ? { ...root, entries: new Map([...root.entries, ["listeners", listeners]]) } : root;
}

function configurationOf(
  { node, listeners, routes, acme, hosts, ssh, policy, limits, admin, rest }: Omit<Sections, "ssh"> & {
    readonly ssh: Configuration["ssh"];
  },
  { certificates, digests, acmeDigest, issuers }: ReadFiles & {
    readonly issuers: readonly IssuerConfiguration[];
  },
  wants: AcmeWants,
  env: Environment,
): Configuration {
  const withDigest = ({ clientCertificates, ...listener }: ListenerConfiguration): ListenerConfiguration =>
    clientCertificates
      ? { ...listener, clientCertificates: { ...clientCertificates, digest: digests[listener.name] } }
      : listener;
  const routeWithDigest = ({ upstreamTls, ...route }: RouteConfiguration): RouteConfiguration =>
    upstreamTls ? { ...route, upstreamTls: { ...upstreamTls, digest: digests[route.place] } } : route;
  return {
    node: completeNode(node, env),
    listeners: Object.fromEntries(
      Array.from(listeners.items, ([name, { value }]) => [name, withDigest(value)]),
    ),
    certificates,
    ...acme.value && { acme: { ...acme.value, ...wants, digest: acmeDigest } },
    issuers,
    routes: routesOf(routes).map(routeWithDigest),
    hosts: valuesOf(hosts.items),
    ssh,
    policy: policy.items.map(({ value }) => value),
    limits,
    admin,
    ...rest,
  };
}
