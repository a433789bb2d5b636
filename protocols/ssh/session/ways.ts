/** How what a connection offers is reached by others, as they would write it. */
import { formatTarget, type Target } from "../../../gate/address.ts";

/** Where the gate is for its clients: as this one reached it, and what it speaks there. */
export interface Here {
  /** The gate's own name, where it has one; else its address. */
  readonly host: string;
  readonly port: number;
  /** Registry names. */
  readonly protocols: readonly string[];
}

/** A name with its port, and the way there. */
export interface Way {
  /** `https`, `ssh`, or the port's number. */
  readonly kind: string;
  /** A URL, or a command. */
  readonly how: string;
}

const SSH = 22, HTTP = 80, HTTPS = 443;
/** What port 0 stands for. */
const NODE_SSH = 15022;

/** `name`: `pi.mesh.example.com:22`, as it was registered. */
export function wayTo(name: string, here: Here): Way {
  const at = name.lastIndexOf(":"), host = name.slice(0, at), port = Number(name.slice(at + 1));
  if (port === SSH || port === NODE_SSH) return { kind: "ssh", how: `ssh -J ${jump(here)} ${host}` };
  if (port === HTTPS && here.protocols.includes("tls")) return url("https", host, here, HTTPS);
  if (port === HTTP && here.protocols.includes("http")) return url("http", host, here, HTTP);
  const own = port < 1024 ? port + 8000 : port; // below, only root may listen
  return { kind: String(port), how: `ssh -N -L ${own}:${host}:${port} ${login(here)}` };
}

const url = (kind: string, host: string, { port }: Here, usual: number): Way => (
  { kind, how: `${kind}://${host}${port === usual ? "" : `:${port}`}` }
);

const jump = ({ host, port }: Here): string => port === SSH ? host : formatTarget({ host, port } as Target);

const login = ({ host, port }: Here): string => port === SSH ? host : `-p ${port} ${host}`;
