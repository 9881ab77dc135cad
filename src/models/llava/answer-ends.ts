/**
 * Which tokens end an answer: what generation_config.json says, as transformers' `generate` reads it, else config.json.
 * (BLIP's `generate` sets its own end, the separator of config.json, whatever the file says.)
 */
import type { Folder } from "../files.ts";
import type { LlavaConfig } from "./config.ts";
import { section, wholes } from "./fields.ts";

const FILE = "generation_config.json";

/** @throws UserError that names the field */
export async function answerEnds(folder: Folder, { text }: LlavaConfig): Promise<readonly number[]> {
  if (!(await folder.has(FILE))) return text.eosTokenIds;
  const stated = section(await folder.json(FILE), FILE);
  return stated.eos_token_id == null ? text.eosTokenIds : wholes("generation_config", stated, "eos_token_id", FILE);
}
