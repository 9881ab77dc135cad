// A matrix product row by row, for workgroups of one subgroup of 4 lanes: up to 128 rows, one after the other, meet a panel of
// BLOCKS x K_BLOCK inputs times 4 SETS columns a lane. The columns of a lane are two or four sets, a to d, of four neighbours.
//
// The weights of a panel are read once, with 128 rows to earn that back, and lie in memory, where a multiply-add takes them
// from; the sums of one row stay in registers as far as there are so many. A tile of all rows, written out, is more code than
// a processor's instruction caches hold. The totals of the rows are read and written once a panel, which costs a third of the
// time: where a panel takes all inputs (SINGLE), there are none. They lie in workgroup memory, each lane's its own, because
// an array of the function is set to zero number by number, and half of what there is to compile.
//
// Sums are kept in two levels, blocks of K_BLOCK inputs and the total. Of the 16 values of a row that a block needs each lane
// loads four neighbours and swaps them: it multiplies its own first, then those of lanes ^ 1, ^ 2 and ^ 3. A swap is one
// instruction where a broadcast is 13. So the order within a block is the lane's; a column must therefore always be made by
// the same lane, number column / 4 % 4.
//
// The kernel brings Lane, what a lane knows of its columns and rows; weights_at, the weights of one of its sets for the 16
// inputs from k on, in the lane's order (neighbours_of); start_of, where a row begins; row_at, a row's values for the four of
// these inputs that are a lane's own; and store_at, which stores the sums of a row at one of its sets.

override BLOCKS: u32; // 1, 2, 4 or 8
override SETS: u32; // 2 or 4
override SINGLE: bool;

const PANEL_ROWS = 128u;
const K_BLOCK = 16u;

// The weights of four neighbouring columns for 16 inputs, one input a column of a matrix, in a lane's order.
struct Weights { p: mat4x4f, q: mat4x4f, r: mat4x4f, s: mat4x4f, }

// The weights of a lane's columns for 16 inputs.
struct Block { a: Weights, b: Weights, c: Weights, d: Weights, }

struct Panel { w0: Block, w1: Block, w2: Block, w3: Block, w4: Block, w5: Block, w6: Block, w7: Block, }

// A row's sums at a lane's columns.
struct Sums { a: vec4f, b: vec4f, c: vec4f, d: vec4f, }

var<workgroup> totals: array<vec4f, SETS * SG * PANEL_ROWS>;

fn panel_columns() -> u32 { return 4u * SETS * SG; }

// The first of four neighbouring inputs of a block: of those that a lane multiplies first, second, third or fourth.
fn neighbours_of(lane: u32, turn: u32) -> u32 { return 4u * (lane ^ turn); }

fn block_at(at: Lane, k: u32) -> Block {
  var w = Block();
  w.a = weights_at(at, 0u, k);
  w.b = weights_at(at, 1u, k);
  if (SETS > 2u) {
    w.c = weights_at(at, 2u, k);
    w.d = weights_at(at, 3u, k);
  }
  return w;
}

fn make_rows(at: Lane, rows: u32, inputs: u32) {
  if (SINGLE) {
    let w = panel_at(at, 0u);
    for (var i = 0u; i < rows; i++) { store_sums(at, i, with_panel(Sums(), at, i, 0u, w)); }
    return;
  }
  for (var i = 0u; i < rows; i++) { put_total(i, at.lane, Sums()); }
  for (var k = 0u; k < inputs; k += BLOCKS * K_BLOCK) {
    let w = panel_at(at, k);
    for (var i = 0u; i < rows; i++) { put_total(i, at.lane, with_panel(total_of(i, at.lane), at, i, k, w)); }
  }
  for (var i = 0u; i < rows; i++) { store_sums(at, i, total_of(i, at.lane)); }
}

fn total_of(i: u32, lane: u32) -> Sums {
  let at = SETS * SG * i + lane;
  var total = Sums();
  total.a = totals[at];
  total.b = totals[at + SG];
  if (SETS > 2u) {
    total.c = totals[at + 2u * SG];
    total.d = totals[at + 3u * SG];
  }
  return total;
}

fn put_total(i: u32, lane: u32, total: Sums) {
  let at = SETS * SG * i + lane;
  totals[at] = total.a;
  totals[at + SG] = total.b;
  if (SETS > 2u) {
    totals[at + 2u * SG] = total.c;
    totals[at + 3u * SG] = total.d;
  }
}

fn store_sums(at: Lane, i: u32, total: Sums) {
  store_at(at, 0u, i, total.a);
  store_at(at, 1u, i, total.b);
  if (SETS > 2u) {
    store_at(at, 2u, i, total.c);
    store_at(at, 3u, i, total.d);
  }
}

fn panel_at(at: Lane, k: u32) -> Panel {
  var w = Panel();
  w.w0 = block_at(at, k);
  if (BLOCKS > 1u) { w.w1 = block_at(at, k + K_BLOCK); }
  if (BLOCKS > 2u) {
    w.w2 = block_at(at, k + 2u * K_BLOCK);
    w.w3 = block_at(at, k + 3u * K_BLOCK);
  }
  if (BLOCKS > 4u) {
    w.w4 = block_at(at, k + 4u * K_BLOCK);
    w.w5 = block_at(at, k + 5u * K_BLOCK);
    w.w6 = block_at(at, k + 6u * K_BLOCK);
    w.w7 = block_at(at, k + 7u * K_BLOCK);
  }
  return w;
}

// The total of a row and what the panel adds to it.
fn with_panel(before: Sums, at: Lane, i: u32, k: u32, w: Panel) -> Sums {
  let start = start_of(at, i);
  var total = before;
  add_block(&total, row_at(start, k, at.lane), w.w0);
  if (BLOCKS > 1u) { add_block(&total, row_at(start, k + K_BLOCK, at.lane), w.w1); }
  if (BLOCKS > 2u) {
    add_block(&total, row_at(start, k + 2u * K_BLOCK, at.lane), w.w2);
    add_block(&total, row_at(start, k + 3u * K_BLOCK, at.lane), w.w3);
  }
  if (BLOCKS > 4u) {
    add_block(&total, row_at(start, k + 4u * K_BLOCK, at.lane), w.w4);
    add_block(&total, row_at(start, k + 5u * K_BLOCK, at.lane), w.w5);
    add_block(&total, row_at(start, k + 6u * K_BLOCK, at.lane), w.w6);
    add_block(&total, row_at(start, k + 7u * K_BLOCK, at.lane), w.w7);
  }
  return total;
}

fn add_block(total: ptr<function, Sums>, row: vec4f, w: Block) {
  var t = Sums();
  add_inputs(&t, row, w.a.p, w.b.p, w.c.p, w.d.p);
  add_inputs(&t, quadSwapX(row), w.a.q, w.b.q, w.c.q, w.d.q);
  add_inputs(&t, quadSwapY(row), w.a.r, w.b.r, w.c.r, w.d.r);
  add_inputs(&t, quadSwapDiagonal(row), w.a.s, w.b.s, w.c.s, w.d.s);
  (*total).a += t.a;
  (*total).b += t.b;
  (*total).c += t.c;
  (*total).d += t.d;
}

// The row's values for four inputs.
fn add_inputs(t: ptr<function, Sums>, values: vec4f, a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f) {
  add_input(t, values.x, a[0], b[0], c[0], d[0]);
  add_input(t, values.y, a[1], b[1], c[1], d[1]);
  add_input(t, values.z, a[2], b[2], c[2], d[2]);
  add_input(t, values.w, a[3], b[3], c[3], d[3]);
}

// The weights stand first: SwiftShader's compiler copies the first factor within memory wherever it is used.
fn add_input(t: ptr<function, Sums>, value: f32, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
  (*t).a = fma(a, vec4f(value), (*t).a);
  (*t).b = fma(b, vec4f(value), (*t).b);
  if (SETS > 2u) {
    (*t).c = fma(c, vec4f(value), (*t).c);
    (*t).d = fma(d, vec4f(value), (*t).d);
  }
}
