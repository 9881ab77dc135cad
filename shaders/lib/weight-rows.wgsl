// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// The kernel brings weight, params and `eight`, which reads eight neighbouring inputs of an output.

// The first texel of the lane's first output; the other three lie below it.
var<private> corner: vec2u;

fn find_rows(texel: u32, row_texels: u32) {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  corner = vec2u(first / height * row_texels, first % height);
}

// The weights of four outputs: for each input a column.
struct Octet { near: mat4x4f, far: mat4x4f, }

fn octet(k: u32) -> Octet {
  let a = eight(0u, k);
  let b = eight(1u, k);
  let c = eight(2u, k);
  let d = eight(3u, k);
  return Octet(transpose(mat4x4f(a[0], b[0], c[0], d[0])), transpose(mat4x4f(a[1], b[1], c[1], d[1])));
}
