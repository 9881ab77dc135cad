/** The sizes of a BLIP model, out of Hugging Face's config.json. */
import { UserError } from "../errors.ts";

export interface VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly layerNormEps: number;
}

export interface TextConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly layerNormEps: number;
  /** Starts the answer; `[DEC]` in BLIP. */
  readonly bosTokenId: number;
  /** Ends a question and an answer. */
  readonly sepTokenId: number;
}

export interface BlipConfig {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
}

/**
 * Reads config.json of a `BlipForQuestionAnswering`. Sizes must be stated: the class defaults of transformers are traps
 * (8 text heads where the checkpoint has 12). Only the activation and the epsilons may be left out, as save_pretrained
 * does; then they are the classes' (gelu, 1e-5, 1e-12).
 * @throws UserError that names the field
 */
export function readBlipConfig(json: unknown): BlipConfig {
  const root = section(json, "config.json");
  const vision = section(root.vision_config, "blip vision_config");
  const text = section(root.text_config, "blip text_config");
  const sizes = (where: string, from: Record<string, unknown>) => ({
    hiddenSize: whole(where, from, "hidden_size"),
    intermediateSize: whole(where, from, "intermediate_size"),
    numHiddenLayers: whole(where, from, "num_hidden_layers"),
    numAttentionHeads: whole(where, from, "num_attention_heads"),
  });
  for (const [where, from] of [
    ["vision_config", vision],
    ["text_config", text],
  ] as const) {
    const activation = from.hidden_act ?? "gelu";
    if (activation !== "gelu") {
      throw new UserError(
        `blip ${where}.hidden_act: got ${JSON.stringify(activation)}, expected "gelu", the only one that is built`,
      );
    }
  }
  const config: BlipConfig = {
    vision: {
      ...sizes("vision_config", vision),
      imageSize: whole("vision_config", vision, "image_size"),
      patchSize: whole("vision_config", vision, "patch_size"),
      layerNormEps: epsilon("vision_config", vision, 1e-5),
    },
    text: {
      ...sizes("text_config", text),
      vocabSize: whole("text_config", text, "vocab_size"),
      maxPositionEmbeddings: whole("text_config", text, "max_position_embeddings"),
      layerNormEps: epsilon("text_config", text, 1e-12),
      bosTokenId: whole("text_config", text, "bos_token_id"),
      sepTokenId: whole("text_config", text, "sep_token_id"),
    },
  };
  checkDivisions(config);
  return config;
}

function checkDivisions({ vision, text }: BlipConfig): void {
  for (const [where, { hiddenSize, numAttentionHeads }] of [
    ["vision_config", vision],
    ["text_config", text],
  ] as const) {
    if (hiddenSize % numAttentionHeads !== 0 || (hiddenSize / numAttentionHeads) % 8 !== 0) {
      throw new UserError(
        `blip ${where}: hidden_size ${hiddenSize} over ${numAttentionHeads} heads gives no width that is a multiple of 8`,
      );
    }
  }
  if (vision.imageSize % vision.patchSize !== 0) {
    throw new UserError(
      `blip vision_config: image_size ${vision.imageSize} is no multiple of patch_size ${vision.patchSize}`,
    );
  }
}

function section(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError(
    `${name}: got ${JSON.stringify(value)}, expected an object; is this a BlipForQuestionAnswering checkpoint?`,
  );
}

function whole(where: string, from: Record<string, unknown>, field: string): number {
  const value = from[field];
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new UserError(
    `blip ${where}.${field}: got ${JSON.stringify(value) ?? "nothing"}, expected a whole number; write it into config.json`,
  );
}

function epsilon(where: string, from: Record<string, unknown>, initial: number): number {
  const value = from.layer_norm_eps ?? initial;
  if (typeof value === "number" && value > 0) return value;
  throw new UserError(`blip ${where}.layer_norm_eps: got ${JSON.stringify(value)}, expected a positive number`);
}
