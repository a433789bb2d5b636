/** Starts programs as systemd's socket activation does: with sockets that are bound and listen, told in the environment. */

/** Binds each `NAME=ADDRESS` (a path, or a port of loopback) before `--`, and becomes the program behind it. */
const ACTIVATOR = `
import fcntl, os, socket, sys
split = sys.argv.index("--")
given = [one.split("=", 1) for one in sys.argv[1:split]]
out_of_the_way = []
for name, address in given:
    unix = address.startswith("/")
    listening = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    listening.bind(address if unix else ("127.0.0.1", int(address)))
    listening.listen(16)
    out_of_the_way.append(fcntl.fcntl(listening.fileno(), fcntl.F_DUPFD, 100))
    listening.close()
for i, fd in enumerate(out_of_the_way):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(
    LISTEN_PID=str(os.getpid()),
    LISTEN_FDS=str(len(given)),
    LISTEN_FDNAMES=":".join(name for name, _ in given),
)
os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
`;

/** What to put before a command: descriptors from 3 on are listening sockets; by name a path, or a port. */
export function activated(sockets: readonly (readonly [name: string, address: string | number])[]): string[] {
  return ["python3", "-c", ACTIVATOR, ...sockets.map(([name, address]) => `${name}=${address}`), "--"];
}
