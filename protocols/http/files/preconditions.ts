/** What a client makes its request depend on (RFC 9110 13), for GET and HEAD of a file. */

/** Fields of the request, as they came; lists joined by commas. */
export interface Conditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
  readonly ifRange?: string;
}

/** What a file is now. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Seconds since the epoch. */
  readonly modified: number;
}

const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\uffff]*"/g;
/** RFC 9110 5.6.7: what is sent; the two old forms are read too. */
const DATE = /^[A-Z][a-z]{2,8},? [0-9A-Za-z :-]{10,24}$/;

/** In the order of RFC 9110 13.2.2: 412, 304, or undefined, and the file is to be sent. */
export function unmet(conditions: Conditions, { etag, modified }: Validators): 304 | 412 | undefined {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  if (ifMatch !== undefined) {
    if (!names(ifMatch, (tag) => tag === etag)) return 412;
  } else if (ifUnmodifiedSince !== undefined && modified > (secondsOf(ifUnmodifiedSince) ?? Infinity)) {
    return 412;
  }
  if (ifNoneMatch !== undefined) {
    return names(ifNoneMatch, (tag) => tag.replace(/^W\//, "") === etag) ? 304 : undefined;
  }
  return ifModifiedSince !== undefined && modified <= (secondsOf(ifModifiedSince) ?? -Infinity)
    ? 304
    : undefined;
}

/** Whether ranges are to be sent: RFC 9110 13.1.5. A date has to be the very one. */
export function rangeHolds({ ifRange }: Conditions, { etag, modified }: Validators): boolean {
  if (ifRange === undefined) return true;
  return ifRange.endsWith('"') ? ifRange === etag : secondsOf(ifRange) === modified;
}

function names(list: string, is: (tag: string) => boolean): boolean {
  return list.trim() === "*" || (list.match(TAG) ?? []).some(is);
}

/** undefined: this is no date, and the field says nothing. */
function secondsOf(date: string): number | undefined {
  const time = DATE.test(date) ? Date.parse(/GMT$/.test(date) ? date : `${date} GMT`) : NaN;
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}
