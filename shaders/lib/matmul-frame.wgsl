// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from `first` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}
