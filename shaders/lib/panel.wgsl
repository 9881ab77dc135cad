// A matrix product row by row, for workgroups of one subgroup of 4 lanes: up to 64 rows, one after the other, meet a panel of
// 64 inputs times sixteen columns a lane. The columns of a lane are four sets, a to d, of four neighbours.
//
// The weights of a panel are read once, with 64 rows to earn that back, and lie in memory, where a multiply-add takes them
// from; the sums of one row stay in registers as far as there are so many. A tile of all rows, written out, is more code than
// a processor's instruction caches hold. The totals of the rows lie in memory, read and written once a panel.
//
// Sums have the order of lib/tile.wgsl, and so the same bits.

const PANEL = 64u;
const PANEL_ROWS = 64u;

// The weights of four neighbouring columns for 16 inputs, one input a column of a matrix.
struct Weights { p: mat4x4f, q: mat4x4f, r: mat4x4f, s: mat4x4f, }

// The weights of a lane's columns for 16 inputs.
struct Block { a: Weights, b: Weights, c: Weights, d: Weights, }

// A row's sums at a lane's columns.
struct Sums { a: vec4f, b: vec4f, c: vec4f, d: vec4f, }

// total += row x block: a lane holds the row's values for inputs lane, 4 + lane, 8 + lane and 12 + lane.
fn add_block(total: ptr<function, Sums>, row: vec4f, w: Block) {
  var t = Sums();
  add_inputs(&t, row.x, w.a.p, w.b.p, w.c.p, w.d.p);
  add_inputs(&t, row.y, w.a.q, w.b.q, w.c.q, w.d.q);
  add_inputs(&t, row.z, w.a.r, w.b.r, w.c.r, w.d.r);
  add_inputs(&t, row.w, w.a.s, w.b.s, w.c.s, w.d.s);
  (*total).a += t.a;
  (*total).b += t.b;
  (*total).c += t.c;
  (*total).d += t.d;
}

// Four inputs, of which each lane holds the row's value for one.
fn add_inputs(t: ptr<function, Sums>, mine: f32, a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f) {
  add_input(t, subgroupBroadcast(mine, 0u), a[0], b[0], c[0], d[0]);
  add_input(t, subgroupBroadcast(mine, 1u), a[1], b[1], c[1], d[1]);
  add_input(t, subgroupBroadcast(mine, 2u), a[2], b[2], c[2], d[2]);
  add_input(t, subgroupBroadcast(mine, 3u), a[3], b[3], c[3], d[3]);
}

// The weights stand first: SwiftShader's compiler moves the first factor to and from memory, were it in a register or not.
fn add_input(t: ptr<function, Sums>, value: f32, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
  (*t).a = fma(a, vec4f(value), (*t).a);
  (*t).b = fma(b, vec4f(value), (*t).b);
  (*t).c = fma(c, vec4f(value), (*t).c);
  (*t).d = fma(d, vec4f(value), (*t).d);
}
