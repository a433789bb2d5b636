/** What `ugate version` and the status page say. */
export const VERSION = "0.1.0";

export const VERSIONS = { ugate: VERSION, deno: Deno.version.deno, target: Deno.build.target };
export const VERSION_LINE = `ugate ${VERSIONS.ugate} (Deno ${VERSIONS.deno}, ${VERSIONS.target})`;
