/** A QR code for a terminal. */

/** Modules of quiet around it (ISO/IEC 18004 9.1 wants 4; phones do with 2). */
const BORDER = 2;
/** SGR: black on bright white, whatever the terminal's colors are. */
const COLORS = "\x1b[30;107m", RESET = "\x1b[0m";

/** Lines, two rows of modules in each. */
export async function renderQr(text: string): Promise<string> {
  const { encode } = await import("uqr");
  const { data, size } = encode(text, { ecc: "M", border: BORDER });
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    const halves = data[row].map((upper, column) => half(upper, data[row + 1]?.[column] ?? false));
    lines.push(COLORS + halves.join("") + RESET);
  }
  return lines.join("\n");
}

function half(upper: boolean, lower: boolean): string {
  if (upper && lower) return "█";
  if (upper) return "▀";
  return lower ? "▄" : " ";
}
