/** What `ugate version` and the status page say. */
export const VERSION = "0.1.0";
