// A matrix product in strips of 3 rows times eight columns a lane, for workgroups of one subgroup of 8 lanes. The columns of
// a lane are two sets, a and b, of four neighbours.
//
// The weights of a block of 16 inputs are read once; then strip after strip multiplies its rows with all of them. While it
// does, its accumulators stay in registers and the weights in the first-level cache, where a multiply-add takes them
// from. The totals of all strips lie in memory, read and written once a block.
//
// Accumulators stay in 32 registers only if a weight meets all its rows before the next one is read: 24 of them, three
// rows' values, one weight, one product. So a column's three rows are a vector, and columns follow one another.
//
// Rows come as texels, four neighbouring inputs a lane: two rows at a time have the 16 inputs of a block.
//
// Sums are kept in two levels, blocks of 16 inputs and the total, so that rounding grows with the root of the block length.
// Their order is that of the inputs, the same for every row of every tile: a row's bits do not depend on its neighbours.
//
// lavapipe writes the loop over the strips out: more of them earn back more of what it costs to read weights, but fall out of
// the instruction cache, and compile in time that grows with their number.

const STRIPS = 4u;
const STRIP = 3u;
const K_BLOCK = 16u;

// The weights of four neighbouring columns for each input of a block.
struct Weights {
  w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f, w4: vec4f, w5: vec4f, w6: vec4f, w7: vec4f,
  w8: vec4f, w9: vec4f, w10: vec4f, w11: vec4f, w12: vec4f, w13: vec4f, w14: vec4f, w15: vec4f,
}

// The sums of four neighbouring columns each, a vector of three rows for each column.
struct Strip { a: mat4x3f, b: mat4x3f, }

// Of a block of inputs the four from 4 (lane % 4) on: of the first row in lanes 0 .. 3 and the second in lanes 4 .. 7, and of
// the last row.
struct Rows { pair: vec4f, last: vec4f, }

// The row of a strip that a lane's `pair` belongs to, and which four inputs.
fn pair_row(lane: u32) -> u32 { return lane / 4u; }
fn four_of(lane: u32) -> u32 { return lane % 4u; }

// Strips of a tile whose first row is `row`, as far as there are so many rows.
fn strips_from(row: u32, rows: u32) -> u32 { return min(STRIPS, (rows - row + STRIP - 1u) / STRIP); }

fn strip_block(rows: Rows, a: Weights, b: Weights) -> Strip {
  var s = Strip();
  add_input(&s, lane_0(rows.pair.x, rows.last.x), a.w0, b.w0);
  add_input(&s, lane_0(rows.pair.y, rows.last.y), a.w1, b.w1);
  add_input(&s, lane_0(rows.pair.z, rows.last.z), a.w2, b.w2);
  add_input(&s, lane_0(rows.pair.w, rows.last.w), a.w3, b.w3);
  add_input(&s, lane_1(rows.pair.x, rows.last.x), a.w4, b.w4);
  add_input(&s, lane_1(rows.pair.y, rows.last.y), a.w5, b.w5);
  add_input(&s, lane_1(rows.pair.z, rows.last.z), a.w6, b.w6);
  add_input(&s, lane_1(rows.pair.w, rows.last.w), a.w7, b.w7);
  add_input(&s, lane_2(rows.pair.x, rows.last.x), a.w8, b.w8);
  add_input(&s, lane_2(rows.pair.y, rows.last.y), a.w9, b.w9);
  add_input(&s, lane_2(rows.pair.z, rows.last.z), a.w10, b.w10);
  add_input(&s, lane_2(rows.pair.w, rows.last.w), a.w11, b.w11);
  add_input(&s, lane_3(rows.pair.x, rows.last.x), a.w12, b.w12);
  add_input(&s, lane_3(rows.pair.y, rows.last.y), a.w13, b.w13);
  add_input(&s, lane_3(rows.pair.z, rows.last.z), a.w14, b.w14);
  add_input(&s, lane_3(rows.pair.w, rows.last.w), a.w15, b.w15);
  return s;
}

// s += rows x (a, b), the outer product.
fn add_input(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  (*s).a[0] = fma(rows, vec3f(a.x), (*s).a[0]);
  (*s).a[1] = fma(rows, vec3f(a.y), (*s).a[1]);
  (*s).a[2] = fma(rows, vec3f(a.z), (*s).a[2]);
  (*s).a[3] = fma(rows, vec3f(a.w), (*s).a[3]);
  (*s).b[0] = fma(rows, vec3f(b.x), (*s).b[0]);
  (*s).b[1] = fma(rows, vec3f(b.y), (*s).b[1]);
  (*s).b[2] = fma(rows, vec3f(b.z), (*s).b[2]);
  (*s).b[3] = fma(rows, vec3f(b.w), (*s).b[3]);
}

// What lanes have of an input of the three rows.
fn lane_0(pair: f32, last: f32) -> vec3f {
  return vec3f(subgroupBroadcast(pair, 0u), subgroupBroadcast(pair, 4u), subgroupBroadcast(last, 0u));
}
fn lane_1(pair: f32, last: f32) -> vec3f {
  return vec3f(subgroupBroadcast(pair, 1u), subgroupBroadcast(pair, 5u), subgroupBroadcast(last, 1u));
}
fn lane_2(pair: f32, last: f32) -> vec3f {
  return vec3f(subgroupBroadcast(pair, 2u), subgroupBroadcast(pair, 6u), subgroupBroadcast(last, 2u));
}
fn lane_3(pair: f32, last: f32) -> vec3f {
  return vec3f(subgroupBroadcast(pair, 3u), subgroupBroadcast(pair, 7u), subgroupBroadcast(last, 3u));
}

fn add_strip(total: ptr<function, Strip>, s: Strip) {
  (*total).a += s.a;
  (*total).b += s.b;
}

// Four times four inputs, one input a column.
fn weights_of(p: mat4x4f, q: mat4x4f, r: mat4x4f, s: mat4x4f) -> Weights {
  return Weights(p[0], p[1], p[2], p[3], q[0], q[1], q[2], q[3], r[0], r[1], r[2], r[3], s[0], s[1], s[2], s[3]);
}
