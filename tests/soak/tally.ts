/** What clients tell of what they did. */

export interface Tally {
  /** By the name of their kind: connections that stood. */
  readonly made: Record<string, number>;
  /** Requests that were answered as they should, where these are counted. */
  asked: number;
  /** Connections that were not served as they should, or did not stand. */
  failures: number;
  /** What the first of them said. */
  readonly complaints: string[];
  over: boolean;
}

/** What there is in all: requests where these are counted, else connections. */
export const madeOf = ({ made, asked }: Tally): number =>
  asked || Object.values(made).reduce((sum, count) => sum + count, 0);

/** All of several tallies. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const made: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [kind, count] of Object.entries(tally.made)) made[kind] = (made[kind] ?? 0) + count;
  }
  return {
    made,
    asked: tallies.reduce((sum, { asked }) => sum + asked, 0),
    failures: tallies.reduce((sum, { failures }) => sum + failures, 0),
    complaints: tallies.flatMap(({ complaints }) => complaints),
    over: true,
  };
}
