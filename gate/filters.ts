/** What a route answers itself, and what it changes of requests and responses: plain data, as engines get it. */

/** What is absent stays as the request had it. */
export interface Redirect {
  readonly status: number;
  readonly scheme?: "http" | "https";
  /** As a URI has it: an IPv6 address in brackets. */
  readonly host?: string;
  readonly port?: number;
  /** In place of the matched prefix, or of the whole path. */
  readonly path?: string;
}

/** What goes to the upstream in place of the request's own. */
export interface Rewrite {
  /** `host` or `host:port`. */
  readonly host?: string;
  /** In place of the matched prefix, or of the whole path. */
  readonly path?: string;
}

/** A response that is the same for everybody. */
export interface FixedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Fields by name; in this order: what is removed, what takes the place of others, what comes beside them. */
export interface FieldChanges {
  readonly remove?: readonly string[];
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
}

export interface Filters {
  readonly redirect?: Redirect;
  readonly respond?: FixedAnswer;
  readonly rewrite?: Rewrite;
  readonly requestHeaders?: FieldChanges;
  readonly responseHeaders?: FieldChanges;
}

/** What the gate answers in place of an upstream, for people; undefined: requests go on. */
export function describeAnswer({ redirect, respond }: Filters): string | undefined {
  if (respond) return `${respond.status}`;
  if (!redirect) return undefined;
  const { status, ...place } = redirect;
  const parts = Object.entries(place).filter(([, value]) => value !== undefined);
  return `${status}, a redirect to ${parts.map(([key, value]) => `${key} ${value}`).join(", ")}`;
}
