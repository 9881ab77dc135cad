// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}
