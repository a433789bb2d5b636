/** How what a connection offers is reached by others, as they would write it. */
import { formatTarget } from "../../../gate/address.ts";
import { MESH_SSH } from "../../../gate/mesh/live_names.ts";

/** Where the gate is for its clients: as this one reached it, and where it hears others. */
export interface Here {
  /** The gate's own name, where it has one; else its address. */
  readonly host: string;
  readonly port: number;
  /** As Gate has it, for this client. */
  readonly doorFor: (protocol: string, usual: number) => number | undefined;
}

/** A name with its port, and the way there. */
export interface Way {
  /** `https`, `ssh`, or the port's number. */
  readonly kind: string;
  /** A URL, or a command. */
  readonly how: string;
}

const SSH = 22;
/** By their usual ports: what a browser calls them, and the registry. */
const WEB: Readonly<Record<number, { readonly kind: string; readonly protocol: string } | undefined>> = {
  80: { kind: "http", protocol: "http" },
  443: { kind: "https", protocol: "tls" },
};

/** `name`: `pi.mesh.example.com:22`, as it was registered. */
export function wayTo(name: string, here: Here): Way {
  const at = name.lastIndexOf(":"), host = name.slice(0, at), port = Number(name.slice(at + 1));
  if (port === SSH || port === MESH_SSH) return { kind: "ssh", how: `ssh -J ${jump(here)} ${host}` };
  const web = WEB[port], door = web && here.doorFor(web.protocol, port);
  if (door) return { kind: web.kind, how: `${web.kind}://${host}${door === port ? "" : `:${door}`}` };
  const own = port < 1024 ? port + 8000 : port; // below, only root may listen
  return { kind: String(port), how: `ssh -N -L ${own}:${host}:${port} ${login(here)}` };
}

const jump = ({ host, port }: Here): string => port === SSH ? host : formatTarget({ host, port });

const login = ({ host, port }: Here): string => port === SSH ? host : `-p ${port} ${host}`;
