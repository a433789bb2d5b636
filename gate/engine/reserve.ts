/**
 * Descriptors that connections leave to the rest of the program: the admin page, a reload, names that are asked for. A
 * thread of the runtime that gets none ends the whole process.
 */
import { openFilesLimit } from "./sys.ts";

const MOST_RESERVED = 64;
const limit = openFilesLimit();
/** The kernel gives the lowest number that is free, so that one from here on tells that the others are taken. */
const first = limit - Math.min(MOST_RESERVED, Math.floor(limit / 4));

/** Whether a descriptor that was opened just now is one of those: it is to be given back. */
export const isReserved = (fd: number): boolean => fd >= first;
