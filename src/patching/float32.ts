/** The shortest decimal that a float32 is read back from: 0.1 for the float32 next to 0.1. */
export function shortest(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const single = Math.fround(value);
  // Six digits survive the way through a normal float32, nine always tell two of them apart.
  for (let digits = Math.abs(single) < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    const text = single.toPrecision(digits);
    if (Math.fround(Number(text)) === single) return String(Number(text));
  }
  return String(Number(single.toPrecision(9)));
}
