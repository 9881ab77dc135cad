/** Shards: a run split by its samples, so that several processes can share the work. */
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";

/** Which one, from 0, of how many. */
export type Shard = readonly [index: number, count: number];

/** Depends on the sample alone, not on its place in the file. */
export const shardOf = (key: string, count: number): number => Number.parseInt(hashOf(key).slice(0, 12), 16) % count;

export const inShard = <T extends { readonly key: string }>(
  samples: readonly T[],
  shard: Shard | null,
): readonly T[] => (shard ? samples.filter(({ key }) => shardOf(key, shard[1]) === shard[0]) : samples);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `0/4`, or `slurm`: what the variables of a Slurm array job say.
 * @throws UserError for anything else
 */
export function readShard(text: string, environment: Environment = process.env): Shard {
  return text === "slurm" ? slurmShard(environment) : parseShard(text);
}

function parseShard(text: string): Shard {
  const [index, count] = (text.match(/^(\d{1,6})\/(\d{1,6})$/)?.slice(1) ?? []).map(Number);
  if (index !== undefined && count !== undefined && index < count) return [index, count];
  throw new UserError(`--shard: got "${text}", expected i/n with i from 0 to n - 1, such as 0/4, or slurm`);
}

function slurmShard(environment: Environment): Shard {
  const names = ["ID", "COUNT", "MIN", "MAX"].map((name) => `SLURM_ARRAY_TASK_${name}`);
  const [id, count, least, most] = names.map((name) => Number(environment[name] || Number.NaN)) as [
    number,
    number,
    number,
    number,
  ];
  const said = names.map((name) => `${name}=${environment[name] ?? ""}`).join(", ");
  if (Number.isNaN(id) || Number.isNaN(count))
    throw new UserError(`--shard slurm: got ${said}, expected those of an array job; or give --shard i/n`);
  if (least > 0 || most >= count || id >= count)
    throw new UserError(
      `--shard slurm: got ${said}, expected an array from 0 without gaps (--array=0-N); for single tasks give --shard i/n`,
    );
  return [id, count];
}
