// A weight of a matrix in a buffer: float32, float16 two to a word (HALF), or NF4, with float16 scales if HALF. The kernel
// brings weight, params.k, HALF, NF4.
//
// use lib/nf4.wgsl

fn weight_at(row: u32, k: u32) -> f32 {
  if (NF4) {
    let start = row * nf4_words(params.k);
    let level = NF4_LEVELS[(weight[start + nf4_word(k)] >> (4u * (k % 8u))) & 15u];
    let block = nf4_block(params.k, row, k);
    return level * nf4_scale(weight[start + nf4_scale_word(params.k, block)], block);
  }
  let at = row * params.k + k;
  if (HALF) {
    let pair = open_half(weight[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  }
  return bitcast<f32>(weight[at]);
}
