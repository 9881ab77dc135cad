/** Which file holds which tensor, where a model's weights are split over many. */

import { CheckpointError } from "./checkpoint-error.ts";
import type { Folder } from "./files.ts";
import { escapeIn } from "./plain-name.ts";
import type { TensorInfo } from "./safetensors-header.ts";
import { parseStrictJson } from "./strict-json.ts";

export const SHARD_INDEX = "model.safetensors.index.json";

const again = "download the model again";

/**
 * The shard of every tensor, by the index of the folder.
 * @throws CheckpointError for an index that is malformed, or names files outside the folder or missing from it
 */
export async function readShardIndex(folder: Folder): Promise<ReadonlyMap<string, string>> {
  const index = parseStrictJson(await folder.text(SHARD_INDEX), (problem, duplicate) => {
    const kind = duplicate === undefined ? "InvalidIndex" : "DuplicateName";
    throw new CheckpointError(kind, `${folder.name}: ${SHARD_INDEX} ${problem}; ${again}`);
  });
  const shards = index instanceof Map ? index.get("weight_map") : undefined;
  if (!(shards instanceof Map)) {
    throw new CheckpointError(
      "InvalidIndex",
      `${folder.name}: ${SHARD_INDEX} has no weight_map, expected an object; ${again}`,
    );
  }
  const shardOf = new Map<string, string>();
  for (const [name, shard] of shards as ReadonlyMap<string, unknown>) {
    shardOf.set(name, shardName(folder, name, shard));
  }
  for (const file of new Set(shardOf.values())) {
    if (await folder.has(file)) continue;
    throw new CheckpointError("MissingShard", `${folder.name}: found no ${file}, which ${SHARD_INDEX} names; ${again}`);
  }
  return shardOf;
}

function shardName(folder: Folder, name: string, shard: unknown): string {
  const reason = typeof shard === "string" ? escapeIn(shard) : "is no string";
  if (typeof shard === "string" && reason === undefined) return shard;
  const problem = `${SHARD_INDEX} puts ${name} into ${JSON.stringify(shard)}, which ${reason}; expected a plain file name`;
  throw new CheckpointError("ShardName", `${folder.name}: ${problem}; ${again}`);
}

/**
 * The index and the headers must name the same tensors in the same files.
 * @param headers the tensors of every shard, by its name in the index
 */
export function checkShards(
  folder: Folder,
  shardOf: ReadonlyMap<string, string>,
  headers: ReadonlyMap<string, ReadonlyMap<string, TensorInfo>>,
): void {
  for (const [name, shard] of shardOf) {
    if (headers.get(shard)?.has(name)) continue;
    const problem = `${shard} has no ${name}, which ${SHARD_INDEX} puts there`;
    throw new CheckpointError("MissingTensor", `${folder.name}: ${problem}; ${again}`);
  }
  for (const [shard, tensors] of headers) {
    for (const name of tensors.keys()) {
      const listed = shardOf.get(name);
      if (listed === shard) continue;
      const expected = listed === undefined ? "no such tensor" : `it in ${listed} only`;
      const problem = `${shard} has ${name}, expected ${expected} by ${SHARD_INDEX}`;
      throw new CheckpointError("UnlistedTensor", `${folder.name}: ${problem}; ${again}`);
    }
  }
}
