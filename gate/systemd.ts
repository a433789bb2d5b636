/**
 * What systemd passes to a service in its environment: where to tell of its state (sd_notify(3)), how often to show
 * that it lives (sd_watchdog_enabled(3)), and which sockets it bound beforehand (sd_listen_fds(3)). Without systemd
 * there is nothing of it, and every word here does nothing.
 */
import { AF_UNIX, CLOCK_MONOTONIC, errnoName, MSG_NOSIGNAL, SO_SNDTIMEO } from "./engine/layout.ts";
import { SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from "./engine/layout.ts";
import { socketAddress } from "./engine/sockaddr.ts";
import { errno, libc } from "./engine/sys.ts";
import { causeChain, GateError } from "./errors.ts";

/** The variables are for this process: reading takes them away, so that no child believes they are for it. */
export type OwnEnvironment = Pick<Deno.Env, "get" | "delete">;

/** A descriptor that was open when the program began. */
export interface PassedDescriptor {
  readonly fd: number;
  /** `FileDescriptorName=` of the socket unit, else that unit's name; `unknown` where nobody named it. */
  readonly name: string;
}

/** The first one that is passed; 0 to 2 are the standard streams. */
const FIRST_PASSED = 3;
const MOST_PASSED = 1024;
/** Characters: systemd reads at most 4096 bytes of a message, and one may take three. */
const LONGEST_STATUS = 1024;
/** systemd is told this often, ms, that a stop goes on, and then waits at least so many us for the next word. */
const EXTEND_INTERVAL = 2000, EXTEND_TIME = 20_000_000;
/** s that a message may wait for systemd to read those before it. */
const SEND_TIME = 1;

export class Systemd {
  #warned = false;
  #stopping = false;

  private constructor(
    /** Open when the program began, in their order. */
    readonly passed: readonly PassedDescriptor[],
    /** ms after which alive() is due again: half of what systemd waits. undefined: it does not watch. */
    readonly watchdog: number | undefined,
    /** A path, or `@` and an abstract name. */
    private readonly socket: string | undefined,
    private readonly warn: (message: string) => void,
  ) {}

  /**
   * Takes systemd's variables out of the environment; call it before threads and children begin. `warn` hears once
   * when systemd cannot be told. Throws GateError where LISTEN_FDS is no number of descriptors.
   */
  static fromEnvironment(env: OwnEnvironment, warn: (message: string) => void = () => {}): Systemd {
    const take = (name: string): string | undefined => {
      const value = env.get(name);
      env.delete(name);
      return value || undefined;
    };
    const isMine = (pid: string | undefined) => Number(pid) === Deno.pid;
    const watchedPid = take("WATCHDOG_PID"), microseconds = Number(take("WATCHDOG_USEC"));
    const watched = microseconds > 0 && (watchedPid === undefined || isMine(watchedPid));
    const passedPid = take("LISTEN_PID"), count = take("LISTEN_FDS"), names = take("LISTEN_FDNAMES");
    return new Systemd(
      count !== undefined && isMine(passedPid) ? passedDescriptors(count, names) : [],
      watched ? Math.max(1, Math.floor(microseconds / 2000)) : undefined,
      take("NOTIFY_SOCKET"),
      warn,
    );
  }

  /** Start, or a reload, is over: new connections are taken. Nothing is told once it stops. */
  ready(status?: string): void {
    if (!this.#stopping) this.#tell(["READY=1", ...statusLine(status)]);
  }

  /** A reload begins; ready() ends it. `Type=notify-reload` needs the time. */
  reloading(): void {
    if (this.socket === undefined || this.#stopping) return;
    this.#tell(["RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds()}`]);
  }

  /**
   * No new connections from here on. Until it is disposed systemd hears that the program waits on purpose: a grace may
   * be longer than TimeoutStopSec, which is then the bound for a program that says nothing any more.
   */
  stopping(): Disposable {
    this.#stopping = true;
    const extend = `EXTEND_TIMEOUT_USEC=${EXTEND_TIME}`;
    this.#tell(["STOPPING=1", extend]);
    const timer = this.socket === undefined
      ? undefined
      : setInterval(() => this.#tell([extend]), EXTEND_INTERVAL);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** For the watchdog: say it only while engines turn. */
  alive(): void {
    this.#tell(["WATCHDOG=1"]);
  }

  #tell(lines: readonly string[]): void {
    if (this.socket === undefined) return;
    const fault = send(this.socket, lines.join("\n"));
    if (fault === undefined || this.#warned) return;
    this.#warned = true;
    this.warn(`Cannot tell systemd at ${this.socket}: ${fault}`);
  }
}

/** A line's end in the text would begin a key of its own. */
function statusLine(text: string | undefined): string[] {
  return text === undefined ? [] : [`STATUS=${text.slice(0, LONGEST_STATUS).replace(/\p{Cc}+/gu, " ")}`];
}

function passedDescriptors(count: string, names: string | undefined): PassedDescriptor[] {
  if (!/^[0-9]{1,4}$/.test(count) || Number(count) > MOST_PASSED) {
    throw new GateError(
      "malformed",
      "gate",
      `Cannot take inherited sockets: expected at most ${MOST_PASSED} in LISTEN_FDS, got "${count}"`,
    );
  }
  const named = names?.split(":") ?? [];
  return Array.from({ length: Number(count) }, (_, i) => ({
    fd: FIRST_PASSED + i,
    name: named[i] || "unknown",
  }));
}

/** One datagram; what went wrong, in words. The socket is opened for each: systemd may have made a new one. */
function send(socket: string, message: string): string | undefined {
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errnoName(errno());
  try {
    if (!/^[/@]/.test(socket)) return "expected a path or an abstract name";
    const { bytes, size } = socketAddress({ host: `unix:${socket}`, port: 0 });
    if (libc.connect(fd, bytes, size) < 0) return errnoName(errno());
    const patience = new BigInt64Array([BigInt(SEND_TIME), 0n]); // struct timeval
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, new Uint8Array(patience.buffer), patience.byteLength);
    const text = new TextEncoder().encode(message);
    return libc.send(fd, text, text.length, MSG_NOSIGNAL) < 0 ? errnoName(errno()) : undefined;
  } catch (thrown) {
    return causeChain(thrown); // a name that is no address
  } finally {
    libc.close(fd);
  }
}

/** Of the clock that systemd compares it with. */
function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(2); // struct timespec: s, ns
  libc.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer));
  return time[0] * 1_000_000n + time[1] / 1000n;
}
