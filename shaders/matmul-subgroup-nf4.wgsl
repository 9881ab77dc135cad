// Matrix product with bias for software adapters: y = x W^T + b, weights in NF4 (lib/nf4.wgsl), eight inputs to a word
//
//   x [vectors, K]   W [N, K] as a texture (weight-texture.wgsl)   b [N]   y [vectors, N]
//
// One workgroup is one subgroup and makes 16 rows times 4 SG columns (lib/tile.wgsl).
//
// use lib/tile.wgsl
// use lib/grid.wgsl
// use lib/nf4.wgsl

override SG: u32;
override K: u32;
override BIAS: bool;

struct Params { vectors: u32, n: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The levels, where the lanes find them fastest: with eight lanes in their registers, two a lane, as a shuffle is one
// instruction there; with four it is a chain of them, and memory is faster.
var<private> held: vec2f;
var<private> table: array<f32, 16> = NF4_LEVELS;

fn level(code: u32) -> f32 {
  if (SG != 8u) { return table[code]; }
  let lane = code & 7u;
  return select(subgroupShuffle(held.x, lane), subgroupShuffle(held.y, lane), code > 7u);
}

// Levels of four neighbouring outputs by the lowest four bits of their codes.
fn levels(codes: vec4u) -> vec4f {
  let code = codes & vec4u(15u);
  return vec4f(level(code.x), level(code.y), level(code.z), level(code.w));
}

// An input that there is. Where blocks fill K exactly nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (K % K_BLOCK == 0u) { return k; }
  return min(k, K - 1u);
}

fn code_texel(texel: u32, k: u32) -> vec4u {
  return textureLoad(weight, vec2u(texel, nf4_word(within(k))), 0);
}

fn scale_texel(texel: u32, output: u32, k: u32) -> vec4f {
  return bitcast<vec4f>(textureLoad(weight, vec2u(texel, nf4_scale_word(K, 4u * texel + output, within(k))), 0));
}

// Scales of four neighbouring outputs for input k: one texel, unless the outputs' rows begin within blocks.
fn scales(texel: u32, k: u32) -> vec4f {
  let first = scale_texel(texel, 0u, k);
  if (K % NF4_BLOCK == 0u) { return first; }
  return vec4f(first.x, scale_texel(texel, 1u, k).y, scale_texel(texel, 2u, k).z, scale_texel(texel, 3u, k).w);
}

// The weights of four neighbouring outputs for input k; `block` are the scales where rows begin with a block.
fn columns(codes: vec4u, texel: u32, k: u32, block: vec4f) -> vec4f {
  if (K % NF4_BLOCK == 0u) { return levels(codes) * block; }
  return levels(codes) * scales(texel, k);
}

fn start(row: u32) -> u32 { return min(row, params.vectors - 1u) * K; }

// SG inputs from k on, their codes from the lowest bits up. Beyond K the rows are zero.
fn step(block: ptr<function, Tile>, starts: Starts, texel: u32, codes: vec4u, scale: vec4f, k: u32, lane: u32) {
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
  accumulate_0(block, a, columns(codes >> vec4u(0u), texel, k + 0u, scale));
  accumulate_1(block, a, columns(codes >> vec4u(4u), texel, k + 1u, scale));
  accumulate_2(block, a, columns(codes >> vec4u(8u), texel, k + 2u, scale));
  accumulate_3(block, a, columns(codes >> vec4u(12u), texel, k + 3u, scale));
  if (SG > 4u) {
    accumulate_4(block, a, columns(codes >> vec4u(16u), texel, k + 4u, scale));
    accumulate_5(block, a, columns(codes >> vec4u(20u), texel, k + 5u, scale));
    accumulate_6(block, a, columns(codes >> vec4u(24u), texel, k + 6u, scale));
    accumulate_7(block, a, columns(codes >> vec4u(28u), texel, k + 7u, scale));
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
  held = vec2f(NF4_LEVELS[lane & 7u], NF4_LEVELS[8u + (lane & 7u)]);
  var total = Tile();
  for (var k = 0u; k < K; k += K_BLOCK) {
    var block = Tile();
    let scale = scales(texel, k);
    let near = code_texel(texel, k);
    let far = code_texel(texel, k + 8u);
    step(&block, starts, texel, near, scale, k, lane);
    if (SG < 8u) { step(&block, starts, texel, near >> vec4u(16u), scale, k + SG, lane); }
    step(&block, starts, texel, far, scale, k + 8u, lane);
    if (SG < 8u) { step(&block, starts, texel, far >> vec4u(16u), scale, k + 8u + SG, lane); }
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
