/** What this machine says about names: /etc/resolv.conf and /etc/hosts, read again when they change. */
import type { Target } from "../../gate/address.ts";
import { type Hosts, parseHosts } from "./hosts_file.ts";
import { parseResolvConf, type ResolvConf, searchList } from "./resolv_conf.ts";
import { WatchedFile } from "./watched_file.ts";

/** `servers` and `search` stand in for those of `resolvConf`; the rest (paths; `poll` in ms) is for tests. */
export interface SystemSettings {
  readonly servers?: readonly Target[];
  readonly search?: readonly string[];
  readonly resolvConf?: string;
  readonly hostsFile?: string;
  readonly poll?: number;
}

export interface SystemNames {
  readonly conf: ResolvConf;
  readonly hosts: Hosts;
}

/** How often the files are looked at once somebody asked, ms: a stat each. */
const POLL_INTERVAL = 2000;

export class System implements Disposable {
  readonly #conf: WatchedFile<ResolvConf>;
  readonly #hosts: WatchedFile<Hosts>;
  readonly #poll: number;
  #ready: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #disposed = false;

  /** `changed` is called when a file turned out to be another than it was. */
  constructor(settings: SystemSettings, private readonly changed: () => void) {
    this.#poll = settings.poll ?? POLL_INTERVAL;
    this.#hosts = new WatchedFile(settings.hostsFile ?? "/etc/hosts", parseHosts);
    this.#conf = new WatchedFile(settings.resolvConf ?? "/etc/resolv.conf", (text) => {
      const conf = parseResolvConf(text);
      const servers = settings.servers?.length ? settings.servers : conf.servers;
      return { ...conf, servers, search: settings.search ? searchList(settings.search) : conf.search };
    });
  }

  /** What holds now. Rejects with GateError where a file is there and unreadable. */
  async current(): Promise<SystemNames> {
    await (this.#ready ??= this.#start());
    return { conf: this.#conf.value, hosts: this.#hosts.value };
  }

  /** Looks at the files now. Rejects as `current` does. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => this.#refreshing = undefined);
    return this.#refreshing;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearInterval(this.#timer);
  }

  async #start(): Promise<void> {
    try {
      await Promise.all([this.#conf.refresh(), this.#hosts.refresh()]);
    } catch (thrown) {
      this.#ready = undefined;
      throw thrown;
    }
    if (this.#disposed) return;
    this.#timer = setInterval(() => this.refresh().catch(keepLast), this.#poll);
  }

  async #refresh(): Promise<void> {
    const changes = await Promise.all([this.#conf.refresh(), this.#hosts.refresh()]);
    if (changes.includes(true)) this.changed();
  }
}

/** A file that became unreadable means what it meant: the next look may find it again. */
function keepLast(): void {}
