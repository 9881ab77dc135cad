// A strip of a matrix product in registers: 8 rows times four neighbouring columns a lane, for workgroups of one subgroup
// of 8 lanes.
//
// The weights of a block of 16 inputs are read once; then strip after strip multiplies its rows with all of them. The
// accumulators of one strip stay in registers for a whole block, while the weights lie in the first-level cache, where a
// multiply-add takes them from: with 16 rows at a time (lib/tile.wgsl) the accumulators would go in and out instead.
//
// Sums have the order of lib/tile.wgsl, and so the same bits.

const STRIP = 8u;
const STRIPS = 3u;
const K_BLOCK = 16u;

// The weights of four neighbouring outputs for each input of a block.
struct Weights {
  w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f, w4: vec4f, w5: vec4f, w6: vec4f, w7: vec4f,
  w8: vec4f, w9: vec4f, w10: vec4f, w11: vec4f, w12: vec4f, w13: vec4f, w14: vec4f, w15: vec4f,
}

// One value of each row, and where each row starts.
struct StripRows { a: vec4f, b: vec4f, }
struct StripStarts { a: vec4u, b: vec4u, }

struct Strip { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f, }

// A block of a strip: `near` holds the rows' values for its first 8 inputs, a lane each, `far` those for the others.
fn strip_block(near: StripRows, far: StripRows, w: Weights) -> Strip {
  var s = Strip();
  lane_0(&s, near, w.w0);
  lane_1(&s, near, w.w1);
  lane_2(&s, near, w.w2);
  lane_3(&s, near, w.w3);
  lane_4(&s, near, w.w4);
  lane_5(&s, near, w.w5);
  lane_6(&s, near, w.w6);
  lane_7(&s, near, w.w7);
  lane_0(&s, far, w.w8);
  lane_1(&s, far, w.w9);
  lane_2(&s, far, w.w10);
  lane_3(&s, far, w.w11);
  lane_4(&s, far, w.w12);
  lane_5(&s, far, w.w13);
  lane_6(&s, far, w.w14);
  lane_7(&s, far, w.w15);
  return s;
}

fn add_strip(total: ptr<function, Strip>, s: Strip) {
  (*total).r0 += s.r0;
  (*total).r1 += s.r1;
  (*total).r2 += s.r2;
  (*total).r3 += s.r3;
  (*total).r4 += s.r4;
  (*total).r5 += s.r5;
  (*total).r6 += s.r6;
  (*total).r7 += s.r7;
}

// s += rows x w, the outer product, with the values that lane 0 .. 7 holds of the rows.
fn lane_0(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 0u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 0u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 0u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 0u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 0u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 0u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 0u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 0u)), w, (*s).r7);
}
fn lane_1(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 1u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 1u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 1u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 1u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 1u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 1u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 1u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 1u)), w, (*s).r7);
}
fn lane_2(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 2u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 2u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 2u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 2u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 2u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 2u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 2u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 2u)), w, (*s).r7);
}
fn lane_3(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 3u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 3u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 3u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 3u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 3u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 3u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 3u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 3u)), w, (*s).r7);
}
fn lane_4(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 4u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 4u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 4u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 4u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 4u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 4u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 4u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 4u)), w, (*s).r7);
}
fn lane_5(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 5u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 5u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 5u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 5u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 5u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 5u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 5u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 5u)), w, (*s).r7);
}
fn lane_6(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 6u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 6u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 6u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 6u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 6u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 6u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 6u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 6u)), w, (*s).r7);
}
fn lane_7(s: ptr<function, Strip>, rows: StripRows, w: vec4f) {
  (*s).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 7u)), w, (*s).r0);
  (*s).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 7u)), w, (*s).r1);
  (*s).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 7u)), w, (*s).r2);
  (*s).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 7u)), w, (*s).r3);
  (*s).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 7u)), w, (*s).r4);
  (*s).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 7u)), w, (*s).r5);
  (*s).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 7u)), w, (*s).r6);
  (*s).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 7u)), w, (*s).r7);
}
