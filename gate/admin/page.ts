/** The files of the page at `/`: read when they are asked for, for most gates are never looked at. */

interface PageFile {
  readonly url: URL;
  readonly type: string;
}

const HTML = "text/html; charset=utf-8", CSS = "text/css; charset=utf-8", SVG = "image/svg+xml";
const SCRIPT = "text/javascript; charset=utf-8";

/** By path. Each is named by a URL of its own: that is how the one binary finds what it has to hold. */
export const PAGE: Readonly<Record<string, PageFile>> = {
  "/": { url: new URL("./page/index.html", import.meta.url), type: HTML },
  "/page.css": { url: new URL("./page/page.css", import.meta.url), type: CSS },
  "/icon.svg": { url: new URL("./page/icon.svg", import.meta.url), type: SVG },
  "/main.js": { url: new URL("./page/main.js", import.meta.url), type: SCRIPT },
  "/configuration.js": { url: new URL("./page/configuration.js", import.meta.url), type: SCRIPT },
  "/connections.js": { url: new URL("./page/connections.js", import.meta.url), type: SCRIPT },
  "/dom.js": { url: new URL("./page/dom.js", import.meta.url), type: SCRIPT },
  "/failures.js": { url: new URL("./page/failures.js", import.meta.url), type: SCRIPT },
  "/format.js": { url: new URL("./page/format.js", import.meta.url), type: SCRIPT },
  "/nodes.js": { url: new URL("./page/nodes.js", import.meta.url), type: SCRIPT },
  "/requests.js": { url: new URL("./page/requests.js", import.meta.url), type: SCRIPT },
  "/sparkline.js": { url: new URL("./page/sparkline.js", import.meta.url), type: SCRIPT },
  "/tables.js": { url: new URL("./page/tables.js", import.meta.url), type: SCRIPT },
  "/traffic.js": { url: new URL("./page/traffic.js", import.meta.url), type: SCRIPT },
};

export const readPageFile = (path: string): Promise<Uint8Array> => Deno.readFile(PAGE[path].url);
