/** `ugate dev-cert`: a certificate for development, of this machine's own authority, and how clients come to trust it. */
import { canonicalHost, isUnixHost, normalName } from "../address.ts";
import { absolute } from "../config/source.ts";
import { defaultState } from "../config/defaults.ts";
import { DevAuthority } from "../dev_authority.ts";
import { causeChain } from "../errors.ts";
import { writePrivate } from "../private_file.ts";
import { visibleJson } from "../visible.ts";

export interface DevCertOptions {
  /** Where the files are put. */
  readonly out: string;
  /** The state directory of the authority. */
  readonly state?: string;
  readonly json?: boolean;
}

/** Every machine has these. */
const ALWAYS = ["localhost", "127.0.0.1", "::1"];
const ROOT_FILE = "ugate-dev-root.pem";

/** What was made. */
interface Made {
  readonly names: readonly string[];
  readonly cert: string;
  readonly key: string;
  /** The root, for clients. */
  readonly root: string;
  /** ISO 8601. */
  readonly expires: string;
  /** The authority was made just now. */
  readonly newAuthority: boolean;
}

/** Tells what it made as text or as JSON; the exit code. */
export async function devCert(asked: readonly string[], options: DevCertOptions): Promise<number> {
  const wrong = asked.find((name) => readName(name) === undefined);
  if (wrong !== undefined) {
    console.error(
      `ugate: Cannot make a certificate: expected names, *.name or addresses, got ${JSON.stringify(wrong)}`,
    );
    return 2;
  }
  try {
    const names = [...new Set([...asked.map((name) => readName(name)!), ...ALWAYS])];
    const made = await make(names, options);
    console.log(options.json ? visibleJson(made, 2) : told(made).join("\n"));
    return 0;
  } catch (thrown) {
    console.error(`ugate: ${causeChain(thrown)}`);
    return 1;
  }
}

function readName(text: string): string | undefined {
  if (text.startsWith("*.")) {
    const below = normalName(text.slice(2));
    return below && `*.${below}`;
  }
  return isUnixHost(text) ? undefined : canonicalHost(text);
}

async function make(
  names: readonly string[],
  { out, state = defaultState(Deno.env) }: DevCertOptions,
): Promise<Made> {
  const authority = await DevAuthority.of(absolute(state));
  const file = `${absolute(out)}/${names[0].replace("*", "_").replaceAll(":", "-")}`;
  const cert = `${file}.pem`, key = `${file}.key`, root = `${absolute(out)}/${ROOT_FILE}`;
  for (const path of [cert, key]) await requireOurs(authority, path, cert);
  const { chain, key: secret, notAfter } = await authority.issue(names);
  const encoder = new TextEncoder();
  await writePrivate(key, encoder.encode(secret));
  await writePrivate(cert, encoder.encode(chain));
  await Deno.writeTextFile(root, authority.root, { mode: 0o644 }); // which everybody may read
  return { names, cert, key, root, expires: new Date(notAfter).toISOString(), newAuthority: authority.isNew };
}

/** Nobody's own certificate or key is written over. */
async function requireOurs(authority: DevAuthority, path: string, cert: string): Promise<void> {
  if (!await exists(path)) return;
  const chain = await Deno.readTextFile(cert).catch(() => "");
  if (!authority.issued(chain)) {
    throw new Error(`Cannot write ${path}: what is there is not of this authority`);
  }
}

const exists = (path: string): Promise<boolean> => Deno.lstat(path).then(() => true, () => false);

function told({ names, cert, key, root, expires, newAuthority }: Made): string[] {
  const url = `https://${names[0].replace("*", "www")}/`;
  return [
    `${cert}, with the key ${key}`,
    `is for ${names.join(", ")}, until ${expires.slice(0, 10)}.`,
    "",
    "In ugate.yaml:",
    `  certificates: [{ cert: ${cert}, key: ${key} }]`,
    "",
    newAuthority
      ? `A new authority vouches for it: clients have to trust ${root}.`
      : `Clients that trust ${root} already trust it.`,
    `  curl            curl --cacert ${root} ${url}`,
    `  Debian          sudo cp ${root} /usr/local/share/ca-certificates/ugate-dev.crt && sudo update-ca-certificates`,
    `  Chromium        ${forChromium(root)}   (of libnss3-tools)`,
    "  Firefox         Settings, Privacy & Security, View Certificates, Authorities, Import: that file",
    "Trust it on machines for development alone: who reads its key here can pretend to be any site there.",
  ];
}

/** Where no Chromium has run yet there is no folder. */
const forChromium = (root: string): string =>
  `mkdir -p $HOME/.pki/nssdb && certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n ugate-dev -i ${root}`;
