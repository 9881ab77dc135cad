// Eight neighbouring inputs of an output, float32: two texels. Beyond the last one they meet a zero.

fn row_texels() -> u32 { return (params.k + 3u) / 4u; }

fn four(output: u32, k: u32) -> vec4f {
  return bitcast<vec4f>(textureLoad(weight, corner + vec2u(within(k) / 4u, output), 0));
}

fn eight(output: u32, k: u32) -> mat2x4f { return mat2x4f(four(output, k), four(output, k + 4u)); }
