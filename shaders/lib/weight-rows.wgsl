// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// The kernel brings weight, params and `row_texels`.

// The first texel of a lane's first output; its other three outputs lie below it.
fn place_of(texel: u32) -> vec2u {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  return vec2u(first / height * row_texels(), first % height);
}
