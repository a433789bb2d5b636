/** Chromium without a window, by its DevTools protocol: what a page shows, and what it may not do. */
import { Child, Folder } from "./child.ts";

/** ms for an answer of the browser, and for what a page is awaited to show. */
const ANSWER_TIME = 20_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

interface Waiting {
  resolve(result: Readonly<Record<string, unknown>>): void;
  reject(reason: Error): void;
}

interface Answered {
  readonly status: number;
  readonly protocol?: string;
  readonly url: string;
}

export class Browser implements AsyncDisposable {
  /** What pages complained about: refusals of their policy, faults, failed loads. */
  readonly complaints: string[] = [];
  /** URLs that were asked for. */
  readonly requests: string[] = [];
  /** What was answered, redirects too: `200 h1 https://host/path`, with the protocol of the connection. */
  readonly responses: string[] = [];
  readonly #child: Child;
  readonly #folder: Folder;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  #session: string | undefined;
  #next = 1;

  private constructor(child: Child, folder: Folder, socket: WebSocket) {
    this.#child = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
  }

  /** A browser with one page, which is empty. `prepare` gets the home of its user first. */
  static async start(prepare?: (home: string) => Promise<unknown>): Promise<Browser> {
    const folder = await Folder.make();
    await prepare?.(folder.path);
    const child = new Child("chromium", [
      ...["--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"],
      ...["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"],
      ...["--disable-quic", "--disable-sync", `--user-data-dir=${folder.path}`, "about:blank"],
    ], { env: { HOME: folder.path } });
    const [, url] = await child.line(/DevTools listening on (ws:\S+)/);
    const socket = new WebSocket(url);
    await new Promise<void>((open, failed) => {
      socket.onopen = () => open();
      socket.onerror = () => failed(new Error("the browser closed its DevTools"));
    });
    const browser = new Browser(child, folder, socket);
    const { targetId } = await browser.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#call("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await browser.#call(`${domain}.enable`);
    return browser;
  }

  async open(url: string): Promise<void> {
    await this.#call("Page.navigate", { url });
  }

  /** The value of an expression in the page; what it throws is thrown here. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown }).value;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    const late = performance.now() + ANSWER_TIME;
    while (await this.evaluate(`Boolean(${expression})`) !== true) {
      if (performance.now() > late) throw new Error(`not within ${ANSWER_TIME} ms: ${expression}`);
      await new Promise((rested) => setTimeout(rested, 50));
    }
  }

  /** Shown so wide, in dark or in light; on a phone where `phone`. */
  async look(width: number, height: number, scheme: "dark" | "light", phone = false): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: phone ? 2 : 1, mobile: phone };
    await this.#call("Emulation.setDeviceMetricsOverride", metrics);
    await this.#call("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  /** The whole page as a PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.#call("Page.captureScreenshot", { captureBeyondViewport: true });
    return Uint8Array.from(atob(String(data)), (sign) => sign.charCodeAt(0));
  }

  #call(method: string, params = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), ANSWER_TIME);
      const settle = <T>(act: (given: T) => void) => (given: T) => {
        clearTimeout(timer);
        act(given);
      };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
  }

  #hear({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result ?? {});
    } else if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.complaints.push(JSON.stringify(params));
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push((params?.request as { url: string }).url);
      if (params?.redirectResponse) this.#answered(params.redirectResponse as Answered);
    } else if (method === "Network.responseReceived") this.#answered(params?.response as Answered);
  }

  #answered({ status, protocol = "", url }: Answered): void {
    this.responses.push(`${status} ${protocol} ${url}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((done) => this.#socket.onclose = done);
    this.#socket.close();
    await closed;
    await this.#child[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
