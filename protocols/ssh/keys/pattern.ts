/** Patterns of OpenSSH (ssh_config(5), PATTERNS): `*` stands for any characters, `?` for one. */

/** In time of the product of both lengths, whatever the pattern is. */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0, star = -1, tried = 0;
  for (let i = 0; i < text.length;) {
    if (at < pattern.length && pattern[at] === "*") {
      star = at++;
      tried = i;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[i])) {
      at++;
      i++;
    } else if (star >= 0) { // the last star takes one character more
      at = star + 1;
      i = ++tried;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Whether one of the patterns is met, and none of those that have `!` in front. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  let met = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, text)) continue;
    if (negated) return false;
    met = true;
  }
  return met;
}
