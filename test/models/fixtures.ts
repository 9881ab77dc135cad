/** Reference numbers of the miniatures, made by PyTorch (test/fixtures/miniature/README.md). */
import { readFileSync } from "node:fs";
import { openFile } from "#files";
import { type Checkpoint, openSafetensors } from "../../src/models/checkpoint.ts";

export const fixtures = "test/fixtures/miniature";
export const pictures = "data/miniature";

export interface SiteReference {
  shape: number[];
  rms: number;
  max: number;
  float32_max_error: number;
  float32_rms_error: number;
}

export interface Case {
  image: string;
  text: string;
  input_ids: number[];
  generated_ids: number[];
  answer: string;
  sites: Record<string, SiteReference>;
}

type Kind = "blip" | "llava";

export const readCase = (number: number, kind: Kind = "blip"): Case =>
  JSON.parse(readFileSync(`${fixtures}/${kind}-${number}.json`, "utf8"));

export const openTruth = async (number: number, kind: Kind = "blip"): Promise<Checkpoint> =>
  openSafetensors(await openFile(`${fixtures}/${kind}-${number}.safetensors`));

/**
 * The claim: at most twice PyTorch float32's own error. Its recorded error is of one order of summation, so its own
 * error means the largest of the recorded maximum, five times the recorded rms error, and 2^-20 of the site's maximum.
 */
export const claimedBound = ({ max, float32_max_error, float32_rms_error }: SiteReference): number =>
  2 * Math.max(float32_max_error, 5 * float32_rms_error, 2 ** -20 * max);

/** Largest distance; equal infinities have none. */
export function largestError(got: ArrayLike<number>, truth: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < truth.length; i++) {
    if (got[i] === truth[i]) continue;
    const error = Math.abs(got[i]! - truth[i]!);
    worst = error > worst || Number.isNaN(error) ? error : worst;
    if (Number.isNaN(worst)) return Number.NaN;
  }
  return worst;
}
