/** "Did you mean": the known word nearest to one that is not, or what stands here for one of other programs. */
import { insteadOf } from "./foreign_words.ts";

/** What follows a complaint about `word`: `; did you mean "address"?`, or which words there are, or nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const [key] = word.split(":", 1);
  if (key.length < word.length && known.includes(key)) return `; a space is missing after "${key}:"`;
  const instead = insteadOf(word, known);
  if (instead !== undefined) return `; ${instead}`;
  const near = nearest(word, known);
  if (near !== undefined) return `; did you mean "${near}"?`;
  return known.length > 0 && known.length <= 16 ? `; expected one of ${known.join(", ")}` : "";
}

/** A word costs microseconds for each that it is compared with. */
const MOST_COMPARED = 200;

/** A third of the letters may be wrong, one in any case; compared without case. */
function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known.slice(0, MOST_COMPARED)) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, row[j] + 1, next[j - 1] + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}
