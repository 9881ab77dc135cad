/** overlays.jsonl: a line that says which heads, then one line a sample with its picture and its grids of attention. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import { hashOf } from "../models/hash.ts";
import type { Task } from "./record.ts";

export interface OverlayHead {
  readonly layer: number;
  readonly head: number;
  /** Where it moves the logit difference most: at the correct answer's token or, in LLaVA, at the prompt's last one. */
  readonly token: "answer" | "last";
  /** Mean over samples and modes of |change of the logit difference| when the head is patched there. */
  readonly strength: number;
  readonly n: number;
}

/** Which heads are drawn for which samples: what decides all the rest. */
export interface OverlayChoice {
  readonly format: 1;
  /** BLIP's cross-attention, or LLaVA's self-attention to the picture among the words. */
  readonly attention: "cross" | "self";
  /** The strongest first. */
  readonly heads: readonly OverlayHead[];
  /** Row indices in the data file. */
  readonly samples: readonly number[];
}

/** Attention from one token of the clean prompt to the patches of the clean picture; grids are [side, side]. */
export interface TokenGrids {
  readonly name: "answer" | "last";
  readonly token: number;
  readonly text: string;
  /** The mean over all heads of all layers. */
  readonly average: readonly number[];
  /** In the order of the heads. */
  readonly heads: readonly (readonly number[])[];
}

export interface SampleOverlay {
  readonly sample: number;
  readonly task: Task;
  readonly prompt: string;
  readonly answer: string;
  /** PNG in base64: the picture as the model sees it, its values brought to 0 … 255. */
  readonly picture: string;
  readonly tokens: readonly TokenGrids[];
}

export interface Overlays extends OverlayChoice {
  readonly overlays: readonly SampleOverlay[];
}

const fileOf = (folder: string): string => join(folder, "overlays.jsonl");

export function overlaysText({ overlays, ...choice }: Overlays): string {
  const body = overlays.map((overlay) => `${JSON.stringify(overlay)}\n`).join("");
  return `${JSON.stringify({ ...choice, sha256: hashOf(body) })}\n${body}`;
}

/** @throws UserError where its bytes are not those that were written */
export async function readOverlays(folder: string): Promise<Overlays | null> {
  const path = fileOf(folder);
  if (!existsSync(path)) return null;
  const text = await readFile(path, "utf8");
  const end = text.indexOf("\n") + 1;
  try {
    const { sha256, ...choice } = JSON.parse(text.slice(0, end)) as OverlayChoice & { sha256: string };
    const body = text.slice(end);
    if (choice.format === 1 && sha256 === hashOf(body)) {
      const overlays = body
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as SampleOverlay);
      return { ...choice, overlays };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError(
    `${path}: is damaged, or of another version; delete it, and the sweep's command with --overlays makes it anew`,
  );
}

/** The choice that the folder's file was made for, as far as it can be read. */
export const storedChoice = (folder: string): Promise<OverlayChoice | null> =>
  readOverlays(folder).then(
    (found) =>
      found && { format: found.format, attention: found.attention, heads: found.heads, samples: found.samples },
    () => null,
  );
