/**
 * Regular expressions that take time in proportion to the text, whatever it is: the states of Thompson's automaton
 * that a text may be in are one state of another automaton, which is made as far as texts need it.
 */
import { type CharSet, OTHER, parseRegex, RegexError, type Tree } from "./regex_syntax.ts";

/** Steps of an expression with its repetitions written out. */
const MOST_STEPS = 1000;

/** A step is reached without a character; "one" and "end" wait there for what comes. */
type Step =
  | { readonly kind: "one"; readonly set: CharSet; readonly next: number }
  | { readonly kind: "start" | "end"; readonly next: number }
  | { readonly kind: "either"; readonly next: number; other: number }
  | { readonly kind: "found" };
const FOUND = 0;

/** What is known of a text that was read up to here. */
export interface State {
  /** The steps that wait, in rising order. */
  readonly waiting: readonly number[];
  /** A match was found: what follows changes nothing. */
  readonly found: boolean;
  /** Nothing that follows can make a match. */
  readonly lost: boolean;
  /** It is a match if the text ends here. */
  readonly atEnd: boolean;
  /** By class of the next character. */
  readonly next: State[];
}

/** Whether an expression matches somewhere in a text, as `RegExp.prototype.test` without flags. */
export class Regex {
  readonly #steps: Step[];
  readonly #entry: number;
  /** By character code: those that no step tells apart have one class. */
  readonly #classes: Uint8Array;
  /** Of each class up to two characters that paths may have. */
  readonly #samples: readonly number[];
  readonly #states = new Map<string, State>();
  /** Nothing was read. */
  readonly start: State;

  /** Throws RegexError. */
  constructor(text: string) {
    const program = new Program(parseRegex(text));
    this.#steps = program.steps;
    this.#entry = program.entry;
    this.#classes = classesOf(program.steps);
    this.#samples = samplesOf(this.#classes);
    this.start = this.#stateAt([this.#entry], true);
  }

  test(text: string): boolean {
    let state = this.start;
    for (let at = 0; at < text.length && !state.found; at++) {
      if (state.lost) return false;
      state = this.step(state, text.charCodeAt(at));
    }
    return state.found || state.atEnd;
  }

  /** Behind one more character. */
  step(state: State, code: number): State {
    const kind = this.#classes[code < OTHER ? code : OTHER];
    return state.next[kind] ??= this.#advance(state, code < OTHER ? code : OTHER);
  }

  /** What comes of any character of a path but this one. */
  othersThan(state: State, code: number): State[] {
    return this.#samples.filter((other) => other !== code).map((other) => this.step(state, other));
  }

  /** Every state that the rest of a path leads to from there, and that one; undefined: they are more than `most`. */
  statesFrom(from: State, most: number): Set<State> | undefined {
    const seen = new Set([from]);
    for (const state of seen) { // what is added meanwhile is visited too
      for (const code of this.#samples) seen.add(this.step(state, code));
      if (seen.size > most) return undefined;
    }
    return seen;
  }

  #advance({ waiting, found }: State, code: number): State {
    const entries = found ? [FOUND] : [this.#entry]; // a match may begin anywhere
    for (const place of waiting) {
      const step = this.#steps[place];
      if (step.kind === "one" && step.set[code]) entries.push(step.next);
    }
    const state = this.#stateAt(entries, false), key = state.found ? "found" : state.waiting.join();
    const there = this.#states.get(key);
    if (!there) this.#states.set(key, state);
    return there ?? state;
  }

  #stateAt(entries: readonly number[], atStart: boolean): State {
    const reached = this.#reach(entries, atStart, false), found = reached.has(FOUND);
    const waiting = found
      ? []
      : Array.from(reached).filter((place) => this.#waits(place)).sort((a, b) => a - b);
    const ends = waiting.filter((place) => this.#steps[place].kind === "end");
    return {
      waiting,
      found,
      lost: !found && waiting.length === 0,
      atEnd: found || this.#reach(ends, atStart, true).has(FOUND),
      next: [],
    };
  }

  #waits(place: number): boolean {
    const { kind } = this.#steps[place];
    return kind === "one" || kind === "end";
  }

  /** Every step that is reached from these without a character. */
  #reach(entries: readonly number[], atStart: boolean, atEnd: boolean): Set<number> {
    const reached = new Set(entries);
    for (const place of reached) { // what is added meanwhile is visited too
      const step = this.#steps[place];
      if (step.kind === "either") reached.add(step.next).add(step.other);
      else if ((step.kind === "start" && atStart) || (step.kind === "end" && atEnd)) reached.add(step.next);
    }
    return reached;
  }
}

/** The steps of an expression, made from its end to its beginning. */
class Program {
  readonly steps: Step[] = [{ kind: "found" }];
  readonly entry: number;
  /** Parts that were written out: an empty one makes no step. */
  #parts = 0;

  constructor(tree: Tree) {
    this.entry = this.#before(tree, FOUND);
  }

  /** Where the part begins, with `next` behind it. */
  #before(tree: Tree, next: number): number {
    if (++this.#parts > MOST_STEPS) {
      throw new RegexError(1, `begins more than ${MOST_STEPS} steps, with every repetition written out`);
    }
    if (tree.kind === "one") return this.#add({ kind: "one", set: tree.set, next });
    if (tree.kind === "start" || tree.kind === "end") return this.#add({ kind: tree.kind, next });
    if (tree.kind === "all") {
      return tree.parts.reduceRight((behind, part) => this.#before(part, behind), next);
    }
    if (tree.kind === "repeat") return this.#repeated(tree.part, tree.least, tree.most, next);
    const entries = tree.parts.map((part) => this.#before(part, next));
    return entries.reduce((one, other) => this.#add({ kind: "either", next: one, other }));
  }

  #repeated(part: Tree, least: number, most: number, next: number): number {
    let entry = next;
    if (most === Infinity) {
      const again = { kind: "either" as const, next, other: next };
      entry = this.#add(again);
      again.other = this.#before(part, entry);
    } else {
      for (let i = least; i < most; i++) {
        entry = this.#add({ kind: "either", next: this.#before(part, entry), other: next });
      }
    }
    for (let i = 0; i < least; i++) entry = this.#before(part, entry);
    return entry;
  }

  #add(step: Step): number {
    return this.steps.push(step) - 1;
  }
}

function samplesOf(classes: Uint8Array): number[] {
  const samples: number[] = [], taken = new Map<number, number>();
  for (let code = 0x21; code < 0x7f; code++) {
    const count = taken.get(classes[code]) ?? 0;
    taken.set(classes[code], count + 1);
    if (count < 2) samples.push(code);
  }
  return samples;
}

/** The class of each character: two are of one where each set has both or none. */
function classesOf(steps: readonly Step[]): Uint8Array {
  const sets = new Set(steps.flatMap((step) => step.kind === "one" ? [step.set] : []));
  const classes = new Uint8Array(OTHER + 1);
  for (const set of sets) {
    const known = new Map<number, number>();
    for (let code = 0; code <= OTHER; code++) {
      const key = 2 * classes[code] + set[code];
      if (!known.has(key)) known.set(key, known.size);
      classes[code] = known.get(key)!;
    }
  }
  return classes;
}
