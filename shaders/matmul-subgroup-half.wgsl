// Matrix product with bias for software adapters: y = x W^T + b, weights in float16, two inputs to a word
//
//   x [vectors, K]   W [N, K] as a texture (weight-texture.wgsl)   b [N]   y [vectors, N]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/grid.wgsl
// use lib/half.wgsl

override SG: u32;
override K: u32;
override BIAS: bool;

struct Params { vectors: u32, n: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks fill K exactly nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (K % K_BLOCK == 0u) { return k; }
  return min(k, K - 1u);
}

// The weights of four neighbouring outputs for two inputs.
struct Pair { even: vec4f, odd: vec4f, }

fn pair(texel: u32, word: u32) -> Pair {
  let w = textureLoad(weight, vec2u(texel, within(2u * word) / 2u), 0);
  let x = open_half(w.x);
  let y = open_half(w.y);
  let z = open_half(w.z);
  let u = open_half(w.w);
  return Pair(vec4f(x.x, y.x, z.x, u.x), vec4f(x.y, y.y, z.y, u.y));
}

fn start(row: u32) -> u32 { return min(row, params.vectors - 1u) * K; }

// SG inputs from k on. Beyond K the rows are zero.
fn step(block: ptr<function, Tile>, starts: Starts, texel: u32, k: u32, lane: u32) {
  let mine = within(k + lane);
  var a = Rows(
    vec4f(x[starts.a.x + mine], x[starts.a.y + mine], x[starts.a.z + mine], x[starts.a.w + mine]),
    vec4f(x[starts.b.x + mine], x[starts.b.y + mine], x[starts.b.z + mine], x[starts.b.w + mine]),
    vec4f(x[starts.c.x + mine], x[starts.c.y + mine], x[starts.c.z + mine], x[starts.c.w + mine]),
    vec4f(x[starts.d.x + mine], x[starts.d.y + mine], x[starts.d.z + mine], x[starts.d.w + mine]),
  );
  if (K % K_BLOCK != 0u) {
    let inside = select(0.0, 1.0, k + lane < K);
    a = Rows(a.a * inside, a.b * inside, a.c * inside, a.d * inside);
  }
  let w0 = pair(texel, k / 2u + 0u);
  accumulate_0(block, a, w0.even);
  accumulate_1(block, a, w0.odd);
  let w2 = pair(texel, k / 2u + 1u);
  accumulate_2(block, a, w2.even);
  accumulate_3(block, a, w2.odd);
  if (SG > 4u) {
    let w4 = pair(texel, k / 2u + 2u);
    accumulate_4(block, a, w4.even);
    accumulate_5(block, a, w4.odd);
    let w6 = pair(texel, k / 2u + 3u);
    accumulate_6(block, a, w6.even);
    accumulate_7(block, a, w6.odd);
  }
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = row * params.n + first;
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + ROWS - 1u) / ROWS;
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + SG - 1u) / SG)) { return; }
  let row = ROWS * (tile % row_tiles);
  let own = tile / row_tiles * SG + lane;
  let texel = min(own, texels - 1u);
  let starts = Starts(
    vec4u(start(row + 0u), start(row + 1u), start(row + 2u), start(row + 3u)),
    vec4u(start(row + 4u), start(row + 5u), start(row + 6u), start(row + 7u)),
    vec4u(start(row + 8u), start(row + 9u), start(row + 10u), start(row + 11u)),
    vec4u(start(row + 12u), start(row + 13u), start(row + 14u), start(row + 15u)),
  );
  var total = Tile();
  for (var k = 0u; k < K; k += K_BLOCK) {
    var block = Tile();
    step(&block, starts, texel, k, lane);
    step(&block, starts, texel, k + SG, lane);
    if (SG < 8u) {
      step(&block, starts, texel, k + 2u * SG, lane);
      step(&block, starts, texel, k + 3u * SG, lane);
    }
    add_block(&total, &block);
  }
  if (own >= texels) { return; }
  let first = 4u * own;
  var b = vec4f();
  if (BIAS) {
    let last = params.n - 1u;
    b = vec4f(bias[first], bias[min(first + 1u, last)], bias[min(first + 2u, last)], bias[min(first + 3u, last)]);
  }
  store(row + 0u, first, total.r0 + b);
  store(row + 1u, first, total.r1 + b);
  store(row + 2u, first, total.r2 + b);
  store(row + 3u, first, total.r3 + b);
  store(row + 4u, first, total.r4 + b);
  store(row + 5u, first, total.r5 + b);
  store(row + 6u, first, total.r6 + b);
  store(row + 7u, first, total.r7 + b);
  store(row + 8u, first, total.r8 + b);
  store(row + 9u, first, total.r9 + b);
  store(row + 10u, first, total.r10 + b);
  store(row + 11u, first, total.r11 + b);
  store(row + 12u, first, total.r12 + b);
  store(row + 13u, first, total.r13 + b);
  store(row + 14u, first, total.r14 + b);
  store(row + 15u, first, total.r15 + b);
}
