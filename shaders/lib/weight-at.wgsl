// A weight of a matrix in a buffer: float32, float16 two to a word (HALF), or NF4, with float16 scales if HALF. The kernel
// brings weight, K, HALF, NF4.
//
// use lib/nf4.wgsl

fn weight_at(row: u32, k: u32) -> f32 {
  if (NF4) {
    let start = row * nf4_words(K);
    let level = NF4_LEVELS[(weight[start + nf4_word(k)] >> (4u * (k % 8u))) & 15u];
    let block = nf4_block(K, row, k);
    return level * nf4_scale(weight[start + nf4_scale_word(K, block)], block);
  }
  let at = row * K + k;
  if (HALF) {
    let pair = open_half(weight[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  }
  return bitcast<f32>(weight[at]);
}
