// Eight neighbouring inputs of an output, float16, two to a word: one texel. Beyond the last one they meet a zero.
//
// use lib/half.wgsl

fn row_texels() -> u32 { return (params.k + 7u) / 8u; }

fn eight(output: u32, k: u32) -> mat2x4f {
  let w = textureLoad(weight, corner + vec2u(within(k) / 8u, output), 0);
  return mat2x4f(vec4f(open_half(w.x), open_half(w.y)), vec4f(open_half(w.z), open_half(w.w)));
}
