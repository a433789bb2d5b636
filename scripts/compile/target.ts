/** The CPUs that a binary is made for, and what an ELF file says of its own. */

export const TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] as const;
export type Target = typeof TARGETS[number];

/** e_machine of the ELF header (elf(5)). */
const MACHINE: Readonly<Record<Target, number>> = {
  "x86_64-unknown-linux-gnu": 62,
  "aarch64-unknown-linux-gnu": 183,
};
const MAGIC = [0x7f, 0x45, 0x4c, 0x46, 2, 1]; // "\x7fELF", 64 bits, little-endian
const E_MACHINE = 18;
const HEADER = 64;

/** The target whose CPU runs this image; undefined: no ELF file, or another CPU. */
export function targetOf(image: Uint8Array): Target | undefined {
  if (image.length < HEADER || MAGIC.some((byte, at) => image[at] !== byte)) return undefined;
  const machine = image[E_MACHINE] | image[E_MACHINE + 1] << 8;
  return TARGETS.find((target) => MACHINE[target] === machine);
}
