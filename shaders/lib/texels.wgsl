// Words of a tensor in a texture (`Gpu.texels`), four to a texel, one row of texels after the other. On SwiftShader a fetch
// brings four values to each lane in half the instructions of four loads, each of which is a search for its lanes' addresses.

const TEXELS = 8192u;

fn texel(words: texture_2d<u32>, i: u32) -> vec4f { return bitcast<vec4f>(textureLoad(words, vec2u(i % TEXELS, i / TEXELS), 0)); }
