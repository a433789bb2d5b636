/** Requests for files: what the engine refuses, before their thread hears of it. */
import { RequestRefused } from "./own_answer.ts";
import type { Admit } from "./rules.ts";

const ALLOWED = ["GET", "HEAD"], ALLOW = `Allow: ${ALLOWED.join(", ")}`;

/** Files are only read, and a request for one has no content. */
export const admitReading: Admit = ({ exchange: { method }, head }) => {
  if (!ALLOWED.includes(method)) {
    throw new RequestRefused(
      405,
      [ALLOW],
      "unsupported",
      "client",
      `Cannot ${method} a file: it is only read`,
    );
  }
  if (head.body !== "none") {
    throw new RequestRefused(
      413,
      [],
      "malformed",
      "client",
      "Cannot serve a request for a file: it has content",
    );
  }
};
