// A tile of a matrix product in registers: 16 rows times sixteen columns a lane, for workgroups of one subgroup of 4 lanes.
// The columns of a lane are four sets of four neighbours.
//
// As lib/tile.wgsl, whose order of sums it has, and so the same bits; but a value that is broadcast meets sixteen columns: on
// SwiftShader a broadcast costs as much as several multiply-adds.
//
// use lib/tile.wgsl

struct Wide { a: Tile, b: Tile, c: Tile, d: Tile, }

// The rows of a tile by number, for loops that would compile slowly if they were written out.
fn rows_of(t: Tile) -> array<vec4f, ROWS> {
  return array<vec4f, ROWS>(
    t.r0, t.r1, t.r2, t.r3, t.r4, t.r5, t.r6, t.r7, t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15,
  );
}

// The weights of a lane's four sets for four neighbouring inputs, one input a column.
struct WideColumns { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f, }

// t += rows x columns for four neighbouring inputs: a lane holds the rows' values for its own.
fn multiply_add(t: ptr<function, Wide>, rows: Rows, columns: WideColumns) {
  add_wide_outer(t, from_0(rows), columns.a[0], columns.b[0], columns.c[0], columns.d[0]);
  add_wide_outer(t, from_1(rows), columns.a[1], columns.b[1], columns.c[1], columns.d[1]);
  add_wide_outer(t, from_2(rows), columns.a[2], columns.b[2], columns.c[2], columns.d[2]);
  add_wide_outer(t, from_3(rows), columns.a[3], columns.b[3], columns.c[3], columns.d[3]);
}

// The rows' values that lane 0 .. 3 holds, for all lanes.
fn from_0(rows: Rows) -> Rows {
  return Rows(subgroupBroadcast(rows.a, 0u), subgroupBroadcast(rows.b, 0u), subgroupBroadcast(rows.c, 0u), subgroupBroadcast(rows.d, 0u));
}
fn from_1(rows: Rows) -> Rows {
  return Rows(subgroupBroadcast(rows.a, 1u), subgroupBroadcast(rows.b, 1u), subgroupBroadcast(rows.c, 1u), subgroupBroadcast(rows.d, 1u));
}
fn from_2(rows: Rows) -> Rows {
  return Rows(subgroupBroadcast(rows.a, 2u), subgroupBroadcast(rows.b, 2u), subgroupBroadcast(rows.c, 2u), subgroupBroadcast(rows.d, 2u));
}
fn from_3(rows: Rows) -> Rows {
  return Rows(subgroupBroadcast(rows.a, 3u), subgroupBroadcast(rows.b, 3u), subgroupBroadcast(rows.c, 3u), subgroupBroadcast(rows.d, 3u));
}

fn add_wide_outer(t: ptr<function, Wide>, rows: Rows, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
  add_outer(&(*t).a, rows, a);
  add_outer(&(*t).b, rows, b);
  add_outer(&(*t).c, rows, c);
  add_outer(&(*t).d, rows, d);
}

fn add_outer(t: ptr<function, Tile>, rows: Rows, columns: vec4f) {
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

fn add_wide(total: ptr<function, Wide>, block: ptr<function, Wide>) {
  add_block(&(*total).a, &(*block).a);
  add_block(&(*total).b, &(*block).b);
  add_block(&(*total).c, &(*block).c);
  add_block(&(*total).d, &(*block).d);
}
