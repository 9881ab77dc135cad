// Words of a tensor in a texture (`Gpu.texels`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }
