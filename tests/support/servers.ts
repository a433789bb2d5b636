/** Real servers of Debian on loopback, as a test needs them: TLS, SSH, MQTT. Each is ended with its owner. */
import { freePort } from "../../scripts/free_ports.ts";
import { Child, type Folder, succeed } from "./child.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate of one name, P-256; paths of PEM files. */
export async function certificate(folder: Folder, name: string): Promise<Certificate> {
  const cert = `${folder.path}/${name}.crt`, key = `${folder.path}/${name}.key`;
  await succeed("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(" "),
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", cert],
  ]);
  return { cert, key };
}

interface Server extends AsyncDisposable {
  readonly port: number;
}

/** A running program and the port it serves. */
function server<T extends object>(child: Child, port: number, more: T): Server & T {
  return { port, ...more, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

const PYTHON_HTTPS = `
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("I am " + sys.argv[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("port", server.server_address[1], flush=True)
server.serve_forever()
`;

/** Python's HTTPS server, which says its name. */
export async function startPythonHttps(folder: Folder, name: string) {
  const files = await certificate(folder, name);
  const child = new Child("python3", ["-c", PYTHON_HTTPS, name, files.cert, files.key]);
  const [, port] = await child.line(/^port (\d+)$/m);
  return server(child, Number(port), { name, ...files });
}

/** OpenSSL's own HTTPS server, which tells about the handshake. */
export async function startOpensslHttps(folder: Folder, name: string) {
  const files = await certificate(folder, name);
  const args = ["s_server", "-www", "-accept", "127.0.0.1:0", "-cert", files.cert, "-key", files.key];
  const child = new Child("openssl", args);
  const [, port] = await child.line(/^ACCEPT 127\.0\.0\.1:(\d+)$/m);
  return server(child, Number(port), { name, ...files });
}

/** OpenSSH's server with keys of its own; `args` make a client believe it and log in. */
export async function startSshd(folder: Folder) {
  const keys = { host: `${folder.path}/host`, user: `${folder.path}/user` };
  for (const path of Object.values(keys)) {
    await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  }
  const authorized = `${folder.path}/authorized`, port = freePort();
  await Deno.copyFile(`${keys.user}.pub`, authorized);
  await folder.write(
    "known",
    `ugate-test ${(await Deno.readTextFile(`${keys.host}.pub`)).split(" ").slice(0, 2).join(" ")}\n`,
  );
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const options = [
    ...[`ListenAddress=127.0.0.1:${port}`, `HostKey=${keys.host}`, `AuthorizedKeysFile=${authorized}`],
    ...["PidFile=none", "StrictModes=no", "UsePAM=no", "PasswordAuthentication=no"],
    ...["PermitRootLogin=prohibit-password", "Subsystem=sftp internal-sftp", "MaxStartups=100"],
  ];
  const child = new Child("/usr/sbin/sshd", [
    ...["-D", "-e", "-f", "/dev/null"],
    ...options.flatMap((option) => ["-o", option]),
  ]);
  await child.line(/Server listening/);
  const args = [
    ...["-F", "/dev/null", "-i", keys.user],
    ...["IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes", "HostKeyAlias=ugate-test"]
      .concat(`UserKnownHostsFile=${folder.path}/known`, "ConnectTimeout=10", "LogLevel=ERROR")
      .flatMap((option) => ["-o", option]),
  ];
  return server(child, port, { args, child });
}

/** The MQTT broker. */
export async function startMosquitto(folder: Folder) {
  const port = freePort();
  const file = await folder.write(
    "mosquitto.conf",
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\n` +
      (Deno.uid() === 0 ? "user root\n" : ""),
  );
  const child = new Child("mosquitto", ["-c", file]);
  await child.line(/mosquitto version \S+ running/);
  return server(child, port, {});
}

const PYTHON_DEAF = `
import socket, time
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(0)
clients = []
for _ in range(4):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    clients.append(client)
print("port", server.getsockname()[1], flush=True)
time.sleep(600)
`;

/** A port whose queue is full: the kernel answers no further SYN. */
export async function startDeaf() {
  const child = new Child("python3", ["-c", PYTHON_DEAF]);
  const [, port] = await child.line(/^port (\d+)$/m);
  return server(child, Number(port), {});
}
