// A matrix product in strips of 3 rows times eight columns a lane, for workgroups of one subgroup of 8 lanes. The columns of
// a lane are two sets, a and b, of four neighbours.
//
// The weights of a block of 16 inputs are read once; then strip after strip multiplies its rows with all of them. While it
// does, its accumulators stay in registers and the weights in the first-level cache, where a multiply-add takes them
// from. The totals of all strips lie in memory, read and written once a block. A loop over strips, and not their code one
// after the other, compiles in a fraction of the time. Broadcasts cost as much as multiply-adds: eight columns share each.
//
// Sums have the order of lib/tile.wgsl, and so the same bits.
//
// The kernel says how many STRIPS there are. More are faster, but for lavapipe a strip of the array is a choice among
// variables, compiled in time that grows faster than their number: 8 take 3 seconds, 12 take 4.7.

const STRIP = 3u;
const K_BLOCK = 16u;

// The weights of four neighbouring columns for each input of a block.
struct Weights {
  w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f, w4: vec4f, w5: vec4f, w6: vec4f, w7: vec4f,
  w8: vec4f, w9: vec4f, w10: vec4f, w11: vec4f, w12: vec4f, w13: vec4f, w14: vec4f, w15: vec4f,
}

struct Strip { a0: vec4f, a1: vec4f, a2: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, }

// Strips of a tile whose first row is `row`, as far as there are so many rows.
fn strips_from(row: u32, rows: u32) -> u32 { return min(STRIPS, (rows - row + STRIP - 1u) / STRIP); }

// A block of a strip: `near` holds the rows' values for its first 8 inputs, a lane each, `far` those for the others.
fn strip_block(near: vec3f, far: vec3f, a: Weights, b: Weights) -> Strip {
  var s = Strip();
  lane_0(&s, near, a.w0, b.w0);
  lane_1(&s, near, a.w1, b.w1);
  lane_2(&s, near, a.w2, b.w2);
  lane_3(&s, near, a.w3, b.w3);
  lane_4(&s, near, a.w4, b.w4);
  lane_5(&s, near, a.w5, b.w5);
  lane_6(&s, near, a.w6, b.w6);
  lane_7(&s, near, a.w7, b.w7);
  lane_0(&s, far, a.w8, b.w8);
  lane_1(&s, far, a.w9, b.w9);
  lane_2(&s, far, a.w10, b.w10);
  lane_3(&s, far, a.w11, b.w11);
  lane_4(&s, far, a.w12, b.w12);
  lane_5(&s, far, a.w13, b.w13);
  lane_6(&s, far, a.w14, b.w14);
  lane_7(&s, far, a.w15, b.w15);
  return s;
}

fn add_strip(total: ptr<function, Strip>, s: Strip) {
  (*total).a0 += s.a0;
  (*total).a1 += s.a1;
  (*total).a2 += s.a2;
  (*total).b0 += s.b0;
  (*total).b1 += s.b1;
  (*total).b2 += s.b2;
}

// s += rows x (a, b), the outer product, with the values that lane 0 .. 7 holds of the rows.
fn lane_0(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 0u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 0u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 0u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_1(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 1u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 1u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 1u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_2(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 2u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 2u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 2u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_3(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 3u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 3u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 3u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_4(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 4u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 4u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 4u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_5(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 5u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 5u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 5u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_6(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 6u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 6u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 6u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}
fn lane_7(s: ptr<function, Strip>, rows: vec3f, a: vec4f, b: vec4f) {
  let r0 = vec4f(subgroupBroadcast(rows.x, 7u));
  let r1 = vec4f(subgroupBroadcast(rows.y, 7u));
  let r2 = vec4f(subgroupBroadcast(rows.z, 7u));
  (*s).a0 = fma(r0, a, (*s).a0);
  (*s).b0 = fma(r0, b, (*s).b0);
  (*s).a1 = fma(r1, a, (*s).a1);
  (*s).b1 = fma(r1, b, (*s).b1);
  (*s).a2 = fma(r2, a, (*s).a2);
  (*s).b2 = fma(r2, b, (*s).b2);
}

// Four times four inputs, one input a column.
fn weights_of(p: mat4x4f, q: mat4x4f, r: mat4x4f, s: mat4x4f) -> Weights {
  return Weights(p[0], p[1], p[2], p[3], q[0], q[1], q[2], q[3], r[0], r[1], r[2], r[3], s[0], s[1], s[2], s[3]);
}
