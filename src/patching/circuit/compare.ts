/** Circuits beside one another: the heads that all of them have, and the two directions. */
import { type Circuit, type HeadName, sigmas } from "../circuit.ts";
import { spearman } from "../circuit-statistics.ts";
import type { Panel } from "./scores.ts";

/** Heads that are important in every task and corruption; of fewer than two none can be. */
export interface Universal {
  readonly kind: string;
  readonly direction: string;
  readonly token: Panel["token"];
  readonly across: readonly string[];
  readonly heads: readonly HeadName[] | null;
  readonly sensitivity: readonly { readonly sigma: number; readonly heads: readonly HeadName[] | null }[];
}

/** The same task, corruption and kind, swept both ways. */
export interface TwoWays {
  readonly task: string;
  readonly mode: string;
  readonly kind: string;
  readonly rank_correlation: number | null;
  readonly both: readonly HeadName[];
  readonly denoising_only: readonly HeadName[];
  readonly noising_only: readonly HeadName[];
}

export const settingOf = ({ task, mode }: Pick<Panel, "task" | "mode">): string => `${task} ${mode}`;

/** By kind, direction and token, in the order in which these first come. */
export function universalHeads(circuits: readonly Circuit[]): Universal[] {
  const groupOf = ({ kind, direction, token }: Circuit) => [kind, direction, token].join("\n");
  return [...new Set(circuits.map(groupOf))].map((name) => {
    const group = circuits.filter((circuit) => groupOf(circuit) === name);
    const { kind, direction, token } = group[0]!;
    const inAll = (sets: readonly (readonly HeadName[])[]) =>
      group.length < 2 ? null : sets[0]!.filter((name) => sets.every((set) => set.includes(name)));
    return {
      kind,
      direction,
      token,
      across: group.map(settingOf),
      heads: inAll(group.map(({ important }) => important)),
      sensitivity: sigmas.map((sigma, i) => ({
        sigma,
        heads: inAll(group.map(({ sensitivity }) => sensitivity[i]!.important)),
      })),
    };
  });
}

/** Denoising and noising side by side, where both were swept. */
export function twoWays(circuits: readonly Circuit[]): TwoWays[] {
  return circuits.flatMap((one) => {
    if (one.direction !== "denoising") return [];
    const { task, mode, kind } = one;
    const other = circuits.find(
      (circuit) =>
        circuit.direction === "noising" &&
        settingOf(circuit) === settingOf(one) &&
        circuit.kind === kind &&
        circuit.token === one.token,
    );
    if (!other) return [];
    const byName = new Map(other.scores.map(({ name, strength }) => [name, strength ?? Number.NaN]));
    const a = one.scores.map(({ strength }) => strength ?? Number.NaN);
    const b = one.scores.map(({ name }) => byName.get(name) ?? Number.NaN);
    const [both, denoising_only, noising_only] = sharedHeads(one.important, other.important);
    return {
      task,
      mode,
      kind,
      rank_correlation: spearman(a, b),
      ...{ both, denoising_only, noising_only },
    };
  });
}

/** The heads of both lists, of the first alone and of the second alone. */
export const sharedHeads = (
  one: readonly HeadName[],
  other: readonly HeadName[],
): [HeadName[], HeadName[], HeadName[]] => [
  one.filter((name) => other.includes(name)),
  one.filter((name) => !other.includes(name)),
  other.filter((name) => !one.includes(name)),
];
