// A tile of a matrix product in registers: 16 rows times four neighbouring columns a lane, for workgroups of one subgroup.
//
// Each lane loads one value of every row for its own k; then lane after lane gives its values to all by broadcast and
// every lane multiplies them with its four columns at that k. No barrier and no workgroup memory: on software adapters
// these cost more than the arithmetic.
//
// A block of K_BLOCK inputs is written out step by step: in a loop of its own software adapters would move the
// accumulators between registers and memory.
//
// Sums are kept in two levels, blocks of K_BLOCK inputs and the total, so that rounding grows with the root of the block length.
// Their order is fixed and the same for every row of every tile: a row's bits do not depend on its neighbours.

const ROWS = 16u;
const K_BLOCK = 16u;

// One value of each row.
struct Rows { a: vec4f, b: vec4f, c: vec4f, d: vec4f, }

// Where each row starts.
struct Starts { a: vec4u, b: vec4u, c: vec4u, d: vec4u, }

struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f,
  r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  r8: vec4f, r9: vec4f, r10: vec4f, r11: vec4f,
  r12: vec4f, r13: vec4f, r14: vec4f, r15: vec4f,
}

// t += rows x columns, the outer product.
fn accumulate(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(rows.a.x), columns, (*t).r0);
  (*t).r1 = fma(vec4f(rows.a.y), columns, (*t).r1);
  (*t).r2 = fma(vec4f(rows.a.z), columns, (*t).r2);
  (*t).r3 = fma(vec4f(rows.a.w), columns, (*t).r3);
  (*t).r4 = fma(vec4f(rows.b.x), columns, (*t).r4);
  (*t).r5 = fma(vec4f(rows.b.y), columns, (*t).r5);
  (*t).r6 = fma(vec4f(rows.b.z), columns, (*t).r6);
  (*t).r7 = fma(vec4f(rows.b.w), columns, (*t).r7);
  (*t).r8 = fma(vec4f(rows.c.x), columns, (*t).r8);
  (*t).r9 = fma(vec4f(rows.c.y), columns, (*t).r9);
  (*t).r10 = fma(vec4f(rows.c.z), columns, (*t).r10);
  (*t).r11 = fma(vec4f(rows.c.w), columns, (*t).r11);
  (*t).r12 = fma(vec4f(rows.d.x), columns, (*t).r12);
  (*t).r13 = fma(vec4f(rows.d.y), columns, (*t).r13);
  (*t).r14 = fma(vec4f(rows.d.z), columns, (*t).r14);
  (*t).r15 = fma(vec4f(rows.d.w), columns, (*t).r15);
}

fn add_block(total: ptr<function, Tile>, block: ptr<function, Tile>) {
  (*total).r0 += (*block).r0;
  (*total).r1 += (*block).r1;
  (*total).r2 += (*block).r2;
  (*total).r3 += (*block).r3;
  (*total).r4 += (*block).r4;
  (*total).r5 += (*block).r5;
  (*total).r6 += (*block).r6;
  (*total).r7 += (*block).r7;
  (*total).r8 += (*block).r8;
  (*total).r9 += (*block).r9;
  (*total).r10 += (*block).r10;
  (*total).r11 += (*block).r11;
  (*total).r12 += (*block).r12;
  (*total).r13 += (*block).r13;
  (*total).r14 += (*block).r14;
  (*total).r15 += (*block).r15;
}

fn from_lane_0(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 0u), subgroupBroadcast(v.a.y, 0u), subgroupBroadcast(v.a.z, 0u), subgroupBroadcast(v.a.w, 0u)),
    vec4f(subgroupBroadcast(v.b.x, 0u), subgroupBroadcast(v.b.y, 0u), subgroupBroadcast(v.b.z, 0u), subgroupBroadcast(v.b.w, 0u)),
    vec4f(subgroupBroadcast(v.c.x, 0u), subgroupBroadcast(v.c.y, 0u), subgroupBroadcast(v.c.z, 0u), subgroupBroadcast(v.c.w, 0u)),
    vec4f(subgroupBroadcast(v.d.x, 0u), subgroupBroadcast(v.d.y, 0u), subgroupBroadcast(v.d.z, 0u), subgroupBroadcast(v.d.w, 0u)),
  );
}
fn from_lane_1(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 1u), subgroupBroadcast(v.a.y, 1u), subgroupBroadcast(v.a.z, 1u), subgroupBroadcast(v.a.w, 1u)),
    vec4f(subgroupBroadcast(v.b.x, 1u), subgroupBroadcast(v.b.y, 1u), subgroupBroadcast(v.b.z, 1u), subgroupBroadcast(v.b.w, 1u)),
    vec4f(subgroupBroadcast(v.c.x, 1u), subgroupBroadcast(v.c.y, 1u), subgroupBroadcast(v.c.z, 1u), subgroupBroadcast(v.c.w, 1u)),
    vec4f(subgroupBroadcast(v.d.x, 1u), subgroupBroadcast(v.d.y, 1u), subgroupBroadcast(v.d.z, 1u), subgroupBroadcast(v.d.w, 1u)),
  );
}
fn from_lane_2(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 2u), subgroupBroadcast(v.a.y, 2u), subgroupBroadcast(v.a.z, 2u), subgroupBroadcast(v.a.w, 2u)),
    vec4f(subgroupBroadcast(v.b.x, 2u), subgroupBroadcast(v.b.y, 2u), subgroupBroadcast(v.b.z, 2u), subgroupBroadcast(v.b.w, 2u)),
    vec4f(subgroupBroadcast(v.c.x, 2u), subgroupBroadcast(v.c.y, 2u), subgroupBroadcast(v.c.z, 2u), subgroupBroadcast(v.c.w, 2u)),
    vec4f(subgroupBroadcast(v.d.x, 2u), subgroupBroadcast(v.d.y, 2u), subgroupBroadcast(v.d.z, 2u), subgroupBroadcast(v.d.w, 2u)),
  );
}
fn from_lane_3(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 3u), subgroupBroadcast(v.a.y, 3u), subgroupBroadcast(v.a.z, 3u), subgroupBroadcast(v.a.w, 3u)),
    vec4f(subgroupBroadcast(v.b.x, 3u), subgroupBroadcast(v.b.y, 3u), subgroupBroadcast(v.b.z, 3u), subgroupBroadcast(v.b.w, 3u)),
    vec4f(subgroupBroadcast(v.c.x, 3u), subgroupBroadcast(v.c.y, 3u), subgroupBroadcast(v.c.z, 3u), subgroupBroadcast(v.c.w, 3u)),
    vec4f(subgroupBroadcast(v.d.x, 3u), subgroupBroadcast(v.d.y, 3u), subgroupBroadcast(v.d.z, 3u), subgroupBroadcast(v.d.w, 3u)),
  );
}
fn from_lane_4(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 4u), subgroupBroadcast(v.a.y, 4u), subgroupBroadcast(v.a.z, 4u), subgroupBroadcast(v.a.w, 4u)),
    vec4f(subgroupBroadcast(v.b.x, 4u), subgroupBroadcast(v.b.y, 4u), subgroupBroadcast(v.b.z, 4u), subgroupBroadcast(v.b.w, 4u)),
    vec4f(subgroupBroadcast(v.c.x, 4u), subgroupBroadcast(v.c.y, 4u), subgroupBroadcast(v.c.z, 4u), subgroupBroadcast(v.c.w, 4u)),
    vec4f(subgroupBroadcast(v.d.x, 4u), subgroupBroadcast(v.d.y, 4u), subgroupBroadcast(v.d.z, 4u), subgroupBroadcast(v.d.w, 4u)),
  );
}
fn from_lane_5(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 5u), subgroupBroadcast(v.a.y, 5u), subgroupBroadcast(v.a.z, 5u), subgroupBroadcast(v.a.w, 5u)),
    vec4f(subgroupBroadcast(v.b.x, 5u), subgroupBroadcast(v.b.y, 5u), subgroupBroadcast(v.b.z, 5u), subgroupBroadcast(v.b.w, 5u)),
    vec4f(subgroupBroadcast(v.c.x, 5u), subgroupBroadcast(v.c.y, 5u), subgroupBroadcast(v.c.z, 5u), subgroupBroadcast(v.c.w, 5u)),
    vec4f(subgroupBroadcast(v.d.x, 5u), subgroupBroadcast(v.d.y, 5u), subgroupBroadcast(v.d.z, 5u), subgroupBroadcast(v.d.w, 5u)),
  );
}
fn from_lane_6(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 6u), subgroupBroadcast(v.a.y, 6u), subgroupBroadcast(v.a.z, 6u), subgroupBroadcast(v.a.w, 6u)),
    vec4f(subgroupBroadcast(v.b.x, 6u), subgroupBroadcast(v.b.y, 6u), subgroupBroadcast(v.b.z, 6u), subgroupBroadcast(v.b.w, 6u)),
    vec4f(subgroupBroadcast(v.c.x, 6u), subgroupBroadcast(v.c.y, 6u), subgroupBroadcast(v.c.z, 6u), subgroupBroadcast(v.c.w, 6u)),
    vec4f(subgroupBroadcast(v.d.x, 6u), subgroupBroadcast(v.d.y, 6u), subgroupBroadcast(v.d.z, 6u), subgroupBroadcast(v.d.w, 6u)),
  );
}
fn from_lane_7(v: Rows) -> Rows {
  return Rows(
    vec4f(subgroupBroadcast(v.a.x, 7u), subgroupBroadcast(v.a.y, 7u), subgroupBroadcast(v.a.z, 7u), subgroupBroadcast(v.a.w, 7u)),
    vec4f(subgroupBroadcast(v.b.x, 7u), subgroupBroadcast(v.b.y, 7u), subgroupBroadcast(v.b.z, 7u), subgroupBroadcast(v.b.w, 7u)),
    vec4f(subgroupBroadcast(v.c.x, 7u), subgroupBroadcast(v.c.y, 7u), subgroupBroadcast(v.c.z, 7u), subgroupBroadcast(v.c.w, 7u)),
    vec4f(subgroupBroadcast(v.d.x, 7u), subgroupBroadcast(v.d.y, 7u), subgroupBroadcast(v.d.z, 7u), subgroupBroadcast(v.d.w, 7u)),
  );
}
