/** Values of heads in words. */
import type { HeadScore } from "../circuit.ts";

export const span = (interval: readonly [number, number] | null, show: (value: number) => string): string =>
  interval === null ? "" : `[${show(interval[0])}, ${show(interval[1])}]`;

export const known = (value: number | null, show: (value: number) => string): string =>
  value === null ? "–" : show(value);

export const percent = (share: number): string => `${Math.round(100 * share)} %`;

export const marksOf = ({ name, published }: HeadScore, universal: readonly string[]): string[] => [
  ...(universal.includes(name) ? ["universal"] : []),
  ...(published ? ["published"] : []),
];
