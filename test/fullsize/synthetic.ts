/** Weights, pixels and sample places out of a hash: test/fixtures/fullsize/README.md, section 1. */

/** FNV-1a of a name's UTF-8 bytes, mixed with the seed. */
export function keyOf(name: string, seed: number): number {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
  return pcg((hash ^ seed) >>> 0);
}

/** PCG's output permutation (O'Neill 2014). */
function pcg(value: number): number {
  const state = (Math.imul(value, 747796405) + 2891336453) >>> 0;
  const word = Math.imul(((state >>> ((state >>> 28) + 4)) ^ state) >>> 0, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

export const element = (key: number, index: number): number => pcg((pcg(index) ^ key) >>> 0);

/** The first rule whose pattern is found in the name gives offset and scale. */
const rules: readonly [RegExp, (fanIn: number) => { offset: number; scale: number }][] = [
  [/(norm|Norm|norm1|norm2|layrnorm)\.weight$/, () => ({ offset: 1, scale: 0.2 })],
  [/^input\./, () => ({ offset: 0, scale: 1.8 })],
  [/bias$/, () => ({ offset: 0, scale: 0.1 })],
  [
    /(word_embeddings|position_embeddings|position_embedding|class_embedding|embed_tokens)(\.weight)?$/,
    () => ({ offset: 0, scale: 0.5 }),
  ],
  [/(\.query|\.key|\.q_proj|\.k_proj|\.qkv)\.weight$/, (fanIn) => ({ offset: 0, scale: 3.3 / Math.sqrt(fanIn) })],
  [
    /(attention\.output\.dense|\.projection|\.o_proj|\.out_proj)\.weight$/,
    (fanIn) => ({ offset: 0, scale: 0.8 / Math.sqrt(fanIn) }),
  ],
  [
    /(\.fc2|layer\.[0-9]+\.output\.dense|\.down_proj)\.weight$/,
    (fanIn) => ({ offset: 0, scale: 1.2 / Math.sqrt(fanIn) }),
  ],
  [/(predictions\.decoder|lm_head)\.weight$/, (fanIn) => ({ offset: 0, scale: 5 / Math.sqrt(fanIn) })],
  [/weight$/, (fanIn) => ({ offset: 0, scale: 1.7 / Math.sqrt(fanIn) })],
];

/** Elements first .. first + count of a tensor. */
export function values(
  name: string,
  shape: readonly number[],
  seed: number,
  first: number,
  count: number,
): Float32Array<ArrayBuffer> {
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  const { offset, scale } = rules.find(([pattern]) => pattern.test(name))![1](fanIn);
  const factor = Math.fround(scale);
  const key = keyOf(name, seed);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = offset + factor * ((element(key, first + i) >>> 8) / 2 ** 23 - 1);
  return out;
}

/** Flat indices of a site that are stored: all of a small one, else 256. */
export function sampleIndices(site: string, seed: number, count: number): number[] {
  if (count <= 256) return Array.from({ length: count }, (_, i) => i);
  const key = keyOf(`sample.${site}`, seed);
  return Array.from({ length: 256 }, (_, j) => element(key, j) % count);
}
