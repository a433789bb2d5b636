/** What the corpus has of requests, but for those that make another protocol of their connection. */
import type { Case } from "./case.ts";
import { CONTENTS } from "./contents.ts";
import { FIELDS } from "./fields.ts";
import { FIRST_LINES } from "./first_lines.ts";

/** CONNECT is another protocol's, and an upgrade becomes a relay. */
const CHANGES = /^CONNECT|^\S*\s+\S*\s+HTTP\/1.*\r\nupgrade/is;

export const REQUESTS: readonly Case[] = [...FIRST_LINES, ...FIELDS, ...CONTENTS]
  .filter(({ role }) => role === "client").flatMap(({ cases }) => cases)
  .filter(([, text]) => !CHANGES.test(text));
