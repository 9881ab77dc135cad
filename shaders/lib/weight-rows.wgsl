// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// A format (rows-float.wgsl, rows-half.wgsl) brings TEXEL_INPUTS: how many a texel holds.

// The first texel of a lane's first output; its other three outputs lie below it.
fn place_of(texel: u32) -> vec2u {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  let row_texels = (params.k + TEXEL_INPUTS - 1u) / TEXEL_INPUTS;
  return vec2u(first / height * row_texels, first % height);
}

// The texel with input k of the first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / TEXEL_INPUTS, place.y); }
