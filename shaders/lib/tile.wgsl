// A tile of a matrix product in registers: 16 rows times four neighbouring columns a lane, for workgroups of one
// subgroup of 8 lanes.
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

// t += rows x columns, the outer product, with the values that lane 0 .. 7 holds of the rows, each broadcast where it is used.
fn accumulate_0(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 0u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 0u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 0u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 0u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 0u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 0u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 0u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 0u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 0u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 0u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 0u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 0u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 0u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 0u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 0u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 0u)), columns, (*t).r15);
}
fn accumulate_1(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 1u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 1u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 1u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 1u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 1u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 1u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 1u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 1u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 1u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 1u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 1u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 1u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 1u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 1u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 1u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 1u)), columns, (*t).r15);
}
fn accumulate_2(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 2u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 2u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 2u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 2u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 2u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 2u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 2u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 2u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 2u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 2u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 2u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 2u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 2u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 2u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 2u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 2u)), columns, (*t).r15);
}
fn accumulate_3(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 3u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 3u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 3u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 3u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 3u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 3u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 3u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 3u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 3u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 3u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 3u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 3u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 3u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 3u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 3u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 3u)), columns, (*t).r15);
}
fn accumulate_4(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 4u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 4u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 4u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 4u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 4u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 4u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 4u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 4u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 4u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 4u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 4u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 4u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 4u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 4u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 4u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 4u)), columns, (*t).r15);
}
fn accumulate_5(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 5u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 5u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 5u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 5u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 5u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 5u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 5u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 5u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 5u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 5u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 5u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 5u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 5u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 5u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 5u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 5u)), columns, (*t).r15);
}
fn accumulate_6(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 6u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 6u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 6u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 6u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 6u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 6u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 6u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 6u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 6u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 6u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 6u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 6u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 6u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 6u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 6u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 6u)), columns, (*t).r15);
}
fn accumulate_7(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
  (*t).r0 = fma(vec4f(subgroupBroadcast(rows.a.x, 7u)), columns, (*t).r0);
  (*t).r1 = fma(vec4f(subgroupBroadcast(rows.a.y, 7u)), columns, (*t).r1);
  (*t).r2 = fma(vec4f(subgroupBroadcast(rows.a.z, 7u)), columns, (*t).r2);
  (*t).r3 = fma(vec4f(subgroupBroadcast(rows.a.w, 7u)), columns, (*t).r3);
  (*t).r4 = fma(vec4f(subgroupBroadcast(rows.b.x, 7u)), columns, (*t).r4);
  (*t).r5 = fma(vec4f(subgroupBroadcast(rows.b.y, 7u)), columns, (*t).r5);
  (*t).r6 = fma(vec4f(subgroupBroadcast(rows.b.z, 7u)), columns, (*t).r6);
  (*t).r7 = fma(vec4f(subgroupBroadcast(rows.b.w, 7u)), columns, (*t).r7);
  (*t).r8 = fma(vec4f(subgroupBroadcast(rows.c.x, 7u)), columns, (*t).r8);
  (*t).r9 = fma(vec4f(subgroupBroadcast(rows.c.y, 7u)), columns, (*t).r9);
  (*t).r10 = fma(vec4f(subgroupBroadcast(rows.c.z, 7u)), columns, (*t).r10);
  (*t).r11 = fma(vec4f(subgroupBroadcast(rows.c.w, 7u)), columns, (*t).r11);
  (*t).r12 = fma(vec4f(subgroupBroadcast(rows.d.x, 7u)), columns, (*t).r12);
  (*t).r13 = fma(vec4f(subgroupBroadcast(rows.d.y, 7u)), columns, (*t).r13);
  (*t).r14 = fma(vec4f(subgroupBroadcast(rows.d.z, 7u)), columns, (*t).r14);
  (*t).r15 = fma(vec4f(subgroupBroadcast(rows.d.w, 7u)), columns, (*t).r15);
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
