/** The sizes of a LLaVA-1.5 model, out of Hugging Face's config.json. */
import { UserError } from "../errors.ts";
import { type Json, path, positive, section, shown, whole, wholes } from "./fields.ts";

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
  readonly numKeyValueHeads: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** End an answer, unless generation_config.json says otherwise (answer-ends.ts). */
  readonly eosTokenIds: readonly number[];
}

export interface LlavaConfig {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
  /** The id that stands for the picture in a prompt. */
  readonly imageTokenId: number;
  /** Which hidden state of the vision tower the projector reads: 0 is the embeddings, i what layer i - 1 makes. */
  readonly featureState: number;
  /** Whether the projector reads the class token, too. */
  readonly withClass: boolean;
  /** How many vectors the picture becomes. */
  readonly imageTokens: number;
}

/** What transformers' LlamaConfig takes a text_config to say where it is silent: save_pretrained leaves these out. */
const llamaDefaults: Json = {
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  hidden_act: "silu",
  rope_theta: 10000,
  rope_scaling: null,
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: false,
  eos_token_id: 2,
};

/** And its CLIPVisionConfig. */
const clipDefaults: Json = { hidden_act: "quick_gelu", layer_norm_eps: 1e-5 };

/** What this port computes, and no other. */
const built: Record<"" | "text_config" | "vision_config", Json> = {
  "": { projector_hidden_act: "gelu", multimodal_projector_bias: true, tie_word_embeddings: false },
  text_config: {
    model_type: "llama",
    hidden_act: "silu",
    rope_scaling: null,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: false,
  },
  vision_config: { model_type: "clip_vision_model", hidden_act: "quick_gelu" },
};

/**
 * Reads config.json of a `LlavaForConditionalGeneration`. Only what real checkpoints leave out has a default.
 * @throws UserError that names the field
 */
export function readLlavaConfig(json: unknown): LlavaConfig {
  const root: Json = { multimodal_projector_bias: true, tie_word_embeddings: false, ...section(json, "config.json") };
  const stated = section(root.text_config, "llava text_config");
  const text: Json = { ...llamaDefaults, ...stated, ...rope(stated) };
  const vision: Json = { ...clipDefaults, ...section(root.vision_config, "llava vision_config") };
  expectBuilt("", root);
  expectBuilt("text_config", text);
  expectBuilt("vision_config", vision);
  const sizes = (where: string, from: Json) => ({
    hiddenSize: whole(where, from, "hidden_size"),
    intermediateSize: whole(where, from, "intermediate_size"),
    numHiddenLayers: whole(where, from, "num_hidden_layers"),
    numAttentionHeads: whole(where, from, heads),
  });
  const config = {
    vision: {
      ...sizes("vision_config", vision),
      imageSize: whole("vision_config", vision, "image_size"),
      patchSize: whole("vision_config", vision, "patch_size"),
      layerNormEps: positive("vision_config", vision, "layer_norm_eps"),
    },
    text: {
      ...sizes("text_config", text),
      numKeyValueHeads: whole("text_config", text, text.num_key_value_heads == null ? heads : "num_key_value_heads"),
      vocabSize: whole("text_config", text, "vocab_size"),
      maxPositionEmbeddings: whole("text_config", text, "max_position_embeddings"),
      rmsNormEps: positive("text_config", text, "rms_norm_eps"),
      ropeTheta: positive("text_config", text, "rope_theta"),
      eosTokenIds: wholes("text_config", text, "eos_token_id"),
    },
    imageTokenId: whole("", root, root.image_token_id === undefined ? "image_token_index" : "image_token_id"),
  };
  checkDivisions(config, text.head_dim ?? config.text.hiddenSize / config.text.numAttentionHeads);
  return { ...config, ...feature(root, config.vision) };
}

const heads = "num_attention_heads";

/** How transformers 5 spells the rotation. */
function rope({ rope_parameters: parameters }: Json): Json {
  if (parameters === undefined) return {};
  const { rope_theta, rope_type } = section(parameters, "llava text_config.rope_parameters");
  return { rope_theta, rope_scaling: rope_type === "default" ? null : parameters };
}

function feature(root: Json, { numHiddenLayers, imageSize, patchSize }: VisionConfig) {
  const layer = root.vision_feature_layer;
  const featureState = typeof layer === "number" && layer < 0 ? numHiddenLayers + 1 + layer : layer;
  if (!whole0to(numHiddenLayers, featureState)) {
    throw new UserError(
      `llava vision_feature_layer: got ${shown(layer)}, expected a whole number from ${-numHiddenLayers - 1} to ${numHiddenLayers}`,
    );
  }
  const strategy = root.vision_feature_select_strategy;
  if (strategy !== "default" && strategy !== "full") {
    throw new UserError(`llava vision_feature_select_strategy: got ${shown(strategy)}, expected "default" or "full"`);
  }
  const withClass = strategy === "full";
  return { featureState, withClass, imageTokens: (imageSize / patchSize) ** 2 + (withClass ? 1 : 0) };
}

const whole0to = (last: number, value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= last;

function expectBuilt(where: keyof typeof built, from: Json): void {
  for (const [field, expected] of Object.entries(built[where])) {
    if (from[field] !== expected) {
      throw new UserError(
        `llava ${path(where, field)}: got ${shown(from[field])}, expected ${shown(expected)}, the only one that is built`,
      );
    }
  }
}

function checkDivisions({ vision, text }: Pick<LlavaConfig, "vision" | "text">, headDim: unknown): void {
  for (const [where, { hiddenSize, numAttentionHeads }] of [
    ["vision_config", vision],
    ["text_config", text],
  ] as const) {
    if (hiddenSize % numAttentionHeads !== 0 || (hiddenSize / numAttentionHeads) % 8 !== 0) {
      throw new UserError(
        `llava ${where}: hidden_size ${hiddenSize} over ${numAttentionHeads} heads gives no width that is a multiple of 8`,
      );
    }
  }
  if (text.hiddenSize !== Number(headDim) * text.numAttentionHeads) {
    throw new UserError(
      `llava text_config.head_dim: got ${shown(headDim)}, expected ${text.hiddenSize / text.numAttentionHeads}, hidden_size over the heads`,
    );
  }
  if (text.numAttentionHeads % text.numKeyValueHeads !== 0) {
    throw new UserError(
      `llava text_config: ${text.numAttentionHeads} heads cannot share ${text.numKeyValueHeads} key and value heads evenly`,
    );
  }
  if (vision.imageSize % vision.patchSize !== 0) {
    throw new UserError(
      `llava vision_config: image_size ${vision.imageSize} is no multiple of patch_size ${vision.patchSize}`,
    );
  }
}

/** Newer names under which a checkpoint may hold a weight; the older ones are the site's names, too. */
export function newerNames(name: string): string[] {
  const newer = name
    .replace(/^language_model\.lm_head\./, "lm_head.")
    .replace(/^language_model\.model\./, "model.language_model.")
    .replace(/^(vision_tower|multi_modal_projector)\./, "model.$1.");
  return newer === name ? [] : [newer];
}
