// What the matrix products of tiers A and B share: parameters and bindings, how operands are read and outputs stored. Of the
// weight and the bias n outputs from `first` on are made. Operands beyond the edges are zero; what lies there is not stored.
//
// use lib/weight-at.wgsl
// use lib/planes.wgsl

override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn input_at(row: u32, k: u32) -> f32 {
  if (row >= params.vectors || k >= params.k) { return 0.0; }
  return x[row * params.k + k];
}

fn weight_of(output: u32, k: u32) -> f32 {
  if (output >= params.n || k >= params.k) { return 0.0; }
  return weight_at(params.first + output, k);
}

fn store(row: u32, n: u32, value: f32) {
  if (row >= params.vectors || n >= params.n) { return; }
  var b = 0.0;
  if (params.has_bias != 0u) { b = bias[params.first + n]; }
  y[output_at(row, n)] = value + b;
}
