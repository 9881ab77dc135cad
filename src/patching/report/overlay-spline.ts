/**
 * Grids enlarged by a cubic spline through their values, as `scipy.ndimage.zoom` of order 3 does it: the corner values
 * stay at the corners, and beyond the edge the grid goes on as in a mirror.
 */

/** values [side, side] to [to, to]. */
export function enlarge(values: readonly number[], side: number, to: number): Float64Array {
  const columns = (grid: Float64Array, height: number, width: number) =>
    Float64Array.from(grid, (_, i) => grid[(i % height) * width + Math.floor(i / height)]!);
  const wide = alongRows(Float64Array.from(values), side, to); // [side, to]
  const tall = alongRows(columns(wide, side, to), side, to); // [to, to], columns as rows
  return columns(tall, to, to);
}

/** Each row of `side` values becomes one of `to`. */
function alongRows(grid: Float64Array, side: number, to: number): Float64Array {
  const count = grid.length / side;
  const out = new Float64Array(count * to);
  const taps = Array.from({ length: to }, (_, o) => tapsAt(to === 1 ? 0 : o * ((side - 1) / (to - 1)), side));
  for (let row = 0; row < count; row++) {
    const coefficients = splineCoefficients(grid.subarray(row * side, (row + 1) * side));
    taps.forEach((tap, o) => {
      out[row * to + o] = tap.reduce((sum, { at, weight }) => sum + weight * coefficients[at]!, 0);
    });
  }
  return out;
}

/** The four coefficients that a place between the samples depends on. */
function tapsAt(x: number, side: number): { at: number; weight: number }[] {
  const start = Math.floor(x);
  const t = x - start;
  const weights = [
    (1 - t) ** 3 / 6,
    (4 - 6 * t ** 2 + 3 * t ** 3) / 6,
    (1 + 3 * t + 3 * t ** 2 - 3 * t ** 3) / 6,
    t ** 3 / 6,
  ];
  return weights.map((weight, i) => ({ at: mirrored(start - 1 + i, side), weight }));
}

function mirrored(at: number, side: number): number {
  if (side === 1) return 0;
  const period = 2 * (side - 1);
  const inside = ((at % period) + period) % period;
  return Math.min(inside, period - inside);
}

const pole = Math.sqrt(3) - 2;

/** What the cubic B-spline must weigh so that it passes through the values: a filter forth and back. */
function splineCoefficients(values: Float64Array): Float64Array {
  const n = values.length;
  if (n === 1) return values;
  const c = values.map((value) => 6 * value);
  const end = pole ** (n - 1);
  let first = c[0]! + end * c[n - 1]!;
  for (let i = 1, power = pole; i < n - 1; i++, power *= pole) first += power * (c[i]! + end * c[n - 1 - i]!);
  c[0] = first / (1 - end * end);
  for (let i = 1; i < n; i++) c[i]! += pole * c[i - 1]!;
  c[n - 1] = ((pole * c[n - 2]! + c[n - 1]!) * pole) / (pole * pole - 1);
  for (let i = n - 2; i >= 0; i--) c[i] = pole * (c[i + 1]! - c[i]!);
  return c;
}
