import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "../../gate/engine/layout.ts";
import { socketAddress } from "../../gate/engine/sockaddr.ts";
import { libc } from "../../gate/engine/sys.ts";
import { Systemd } from "../../gate/systemd.ts";
import { equal, ok, throws } from "../support/assert.ts";
import { need } from "../../scripts/clients.ts";
import { Folder, succeed } from "../support/child.ts";

/** An environment, and what is left of it. */
class Variables {
  readonly #values: Map<string, string>;
  constructor(values: Readonly<Record<string, string>>) {
    this.#values = new Map(Object.entries(values));
  }
  get = (name: string) => this.#values.get(name);
  delete = (name: string) => void this.#values.delete(name);
  get left(): string[] {
    return [...this.#values.keys()];
  }
}

/** systemd's end of NOTIFY_SOCKET. */
class Notified implements Disposable {
  readonly #fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  constructor(readonly name: string) {
    const { bytes, size } = socketAddress({ host: `unix:${name}`, port: 0 });
    equal(libc.bind(this.#fd, bytes, size), 0);
  }

  /** Every message so far, each as its lines. */
  take(): string[][] {
    const messages: string[][] = [], bytes = new Uint8Array(8192);
    for (let size; (size = libc.recv(this.#fd, bytes, bytes.length, 0)) > 0;) {
      messages.push(new TextDecoder().decode(bytes.subarray(0, size)).split("\n"));
    }
    return messages;
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

Deno.test("each state goes to systemd as one message, to a path and to an abstract name", async () => {
  await using folder = await Folder.make();
  for (const name of [`${folder.path}/notify`, `@ugate-test-${crypto.randomUUID()}`]) {
    using systemd = new Notified(name);
    const told = Systemd.fromEnvironment(new Variables({ NOTIFY_SOCKET: name }));
    told.ready("serving 2 listeners");
    told.alive();
    using _stop = told.stopping();
    equal(systemd.take(), [
      ["READY=1", "STATUS=serving 2 listeners"],
      ["WATCHDOG=1"],
      ["STOPPING=1", "EXTEND_TIMEOUT_USEC=20000000"],
    ]);
  }
});

Deno.test("a stop asks for more time as long as it goes on, and no reload is told behind it", async () => {
  using systemd = new Notified(`@ugate-test-${crypto.randomUUID()}`);
  const told = Systemd.fromEnvironment(new Variables({ NOTIFY_SOCKET: systemd.name }));
  {
    using _stop = told.stopping();
    told.reloading();
    told.ready();
    const messages: string[][] = [], late = performance.now() + 20_000;
    while (messages.length < 3) {
      ok(performance.now() < late, `only ${JSON.stringify(messages)}`);
      await new Promise((done) => setTimeout(done, 50));
      messages.push(...systemd.take());
    }
    const extend = "EXTEND_TIMEOUT_USEC=20000000";
    equal(messages, [["STOPPING=1", extend], [extend], [extend]]);
  }
});

Deno.test({
  name: "a reload tells its time by the monotonic clock, as Type=notify-reload needs it",
  ignore: !need("python3"),
  async fn() {
    using systemd = new Notified(`@ugate-test-${crypto.randomUUID()}`);
    const told = Systemd.fromEnvironment(new Variables({ NOTIFY_SOCKET: systemd.name }));
    const before = await monotonic();
    told.reloading();
    const after = await monotonic();
    const [[state, time]] = systemd.take();
    equal(state, "RELOADING=1");
    const microseconds = BigInt(/^MONOTONIC_USEC=([0-9]+)$/.exec(time)![1]);
    ok(
      before <= microseconds && microseconds <= after,
      `${microseconds} is not between ${before} and ${after}`,
    );
  },
});

/** us of CLOCK_MONOTONIC, as somebody else reads it. */
async function monotonic(): Promise<bigint> {
  const read = "import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)";
  return BigInt((await succeed("python3", ["-c", read])).stdout.trim());
}

Deno.test("a status forges no key and is never too long for systemd", () => {
  using systemd = new Notified(`@ugate-test-${crypto.randomUUID()}`);
  const told = Systemd.fromEnvironment(new Variables({ NOTIFY_SOCKET: systemd.name }));
  told.ready("broken\nMAINPID=1\r\nSTOPPING=1");
  told.ready("€".repeat(5000));
  const [forged, [ready, long]] = systemd.take();
  equal(forged, ["READY=1", "STATUS=broken MAINPID=1 STOPPING=1"]);
  equal(ready, "READY=1");
  ok(new TextEncoder().encode(long).length < 4000);
});

Deno.test("without systemd nothing is told; where its socket is gone, one warning comes", () => {
  const warnings: string[] = [];
  const say = (env: Record<string, string>) => {
    const told = Systemd.fromEnvironment(new Variables(env), (warning) => warnings.push(warning));
    told.ready("all");
    told.reloading();
    told.alive();
    told.stopping()[Symbol.dispose]();
  };
  say({});
  equal(warnings, []);
  say({ NOTIFY_SOCKET: "@ugate-nobody-is-there" });
  say({ NOTIFY_SOCKET: "vsock:2:1234" });
  say({ NOTIFY_SOCKET: `/${"x".repeat(107)}` });
  equal(warnings.map((warning) => warning.replaceAll(/x{2,}/g, "x")), [
    "Cannot tell systemd at @ugate-nobody-is-there: ECONNREFUSED",
    "Cannot tell systemd at vsock:2:1234: expected a path or an abstract name",
    "Cannot tell systemd at /x: Cannot use unix:/x: expected a path of 1 to 106 bytes",
  ]);
});

Deno.test("the watchdog is fed twice in its time, if it watches this process", () => {
  const interval = (env: Record<string, string>) => Systemd.fromEnvironment(new Variables(env)).watchdog;
  equal(interval({ WATCHDOG_USEC: "30000000" }), 15_000);
  equal(interval({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(Deno.pid) }), 15_000);
  equal(interval({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1" }), undefined);
  for (const broken of ["", "0", "-5", "soon"]) equal(interval({ WATCHDOG_USEC: broken }), undefined);
});

Deno.test("descriptors are passed by number and name, to the process that LISTEN_PID names", () => {
  const passed = (env: Record<string, string>) => Systemd.fromEnvironment(new Variables(env)).passed;
  const LISTEN_PID = String(Deno.pid);
  equal(passed({ LISTEN_PID, LISTEN_FDS: "3", LISTEN_FDNAMES: "edge::proxy:more" }), [
    { fd: 3, name: "edge" },
    { fd: 4, name: "unknown" },
    { fd: 5, name: "proxy" },
  ]);
  equal(passed({ LISTEN_PID, LISTEN_FDS: "1" }), [{ fd: 3, name: "unknown" }]);
  equal(passed({ LISTEN_PID: "1", LISTEN_FDS: "1" }), []);
  equal(passed({ LISTEN_FDS: "1" }), []);
  for (const LISTEN_FDS of ["many", "-1", "1025", "99999999"]) {
    throws(() => passed({ LISTEN_PID, LISTEN_FDS }), /expected at most 1024 in LISTEN_FDS, got "/);
  }
});

Deno.test("no child hears of what systemd said to this process", () => {
  const env = new Variables({
    NOTIFY_SOCKET: "@nobody",
    WATCHDOG_USEC: "1000000",
    WATCHDOG_PID: "1",
    LISTEN_PID: "1",
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: "edge",
    HOME: "/root",
  });
  Systemd.fromEnvironment(env);
  equal(env.left, ["HOME"]);
});
