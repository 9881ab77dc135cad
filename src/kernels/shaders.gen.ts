// Made by shaders/embed.ts out of shaders/*.wgsl: change those, then `npm run shaders`.

import type { Shader } from "./shader.ts";

/** shaders/add.wgsl */
export const add: Shader<"a" | "b" | "y", { WG?: number }, "count" | "row_size" | "a_rows" | "b_rows"> = {
  name: "add",
  bindings: [{"name":"a","kind":"read"},{"name":"b","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"row_size","type":"u32"},{"name":"a_rows","type":"u32"},{"name":"b_rows","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Sum under the batch rule: y[r] = a[r] + b[r], where the operand with fewer rows stands for its row 0 repeated.
//
//   a [a_rows, row_size]   b [b_rows, row_size]   y [rows, row_size]
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, row_size: u32, a_rows: u32, b_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let row = i / params.row_size;
  let within = i % params.row_size;
  let left = a[row_of(row, params.a_rows) * params.row_size + within];
  y[i] = left + b[row_of(row, params.b_rows) * params.row_size + within];
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-mix-few.wgsl */
export const attentionMixFew: Shader<"v" | "probs" | "z", { WG?: number; SG: number }, "p_rows" | "v_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "first_head" | "own_heads" | "group" | "dim"> = {
  name: "attention-mix-few",
  bindings: [{"name":"probs","kind":"read"},{"name":"v","kind":"read"},{"name":"z","kind":"read_write"}],
  params: [{"name":"p_rows","type":"u32"},{"name":"v_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"first_head","type":"u32"},{"name":"own_heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Mixes the values by attention probability, for software adapters, of single queries: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One invocation makes four neighbouring columns: a token that is alone, as in an answer, would leave most of a tile idle.
// The sum has the order of lib/strip.wgsl or lib/panel.wgsl (lib/few.wgsl): blocks of 16 sources and the total.
//
// use lib/few.wgsl
// use lib/mix-buffers.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

fn block_of(weights: u32, row: u32, head: u32, column: u32, s: u32) -> vec4f {
  var sum = vec4f();
  for (var turn = 0u; turn < 4u; turn++) {
    let first = s + neighbours_at(column, turn);
    for (var i = first; i < min(first + 4u, params.sources); i++) {
      sum = fma(vec4f(probs[weights + i]), columns(row, head, i, column), sum);
    }
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  let fourths = params.dim / 4u;
  let column = 4u * (i % fourths);
  let query = i / fourths % params.queries;
  let head = i / fourths / params.queries % params.own_heads;
  let batch = i / fourths / params.queries / params.own_heads;
  if (batch >= params.batches) { return; }
  let weights = start(row_of(batch, params.p_rows) * params.tokens, query, head);
  let row = row_of(batch, params.v_rows);
  var total = vec4f();
  for (var s = 0u; s < params.sources; s += K_BLOCK) { total += block_of(weights, row, head, column, s); }
  store(batch, query, head, column, total);
}

// The order of a sum within a block of 16 where one invocation makes a product's column alone: that of strips
// (lib/strip.wgsl), one after another, or of the lane that makes the column in panels (lib/panel.wgsl).
//
// The kernel brings SG.

const K_BLOCK = 16u;

// The first of the four neighbours that are added first, second, third or fourth.
fn neighbours_at(column: u32, turn: u32) -> u32 {
  if (SG == 4u) { return 4u * ((column / 4u % 4u) ^ turn); }
  return 4u * turn;
}

// Values of attention mixes in a buffer.
//
// use lib/mix-frame.wgsl

@group(0) @binding(1) var<storage, read> v: array<vec4f>;

fn value(i: u32) -> vec4f { return v[i]; }

// What the attention mixes of tier D share: parameters and bindings, where probabilities start, how the mix is stored. There
// are probabilities of \`own_heads\` of all heads, from first_head on. Brought are v and \`value\`, four words of it:
// mix-buffers.wgsl, mix-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;

struct Params {
  p_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  let flat = first + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  return ((row * params.own_heads + head) * params.tokens + flat - row * params.tokens) * params.sources;
}

// Four neighbouring columns of one source; beyond the last source they meet a zero.
fn columns(row: u32, head: u32, source: u32, column: u32) -> vec4f {
  return value((memory_of(row, min(source, params.sources - 1u), params.first_head + head) + column) / 4u);
}

// Four neighbouring columns of four sources, one source a column.
fn four(row: u32, head: u32, s: u32, column: u32) -> mat4x4f {
  return mat4x4f(
    columns(row, head, s, column), columns(row, head, s + 1u, column),
    columns(row, head, s + 2u, column), columns(row, head, s + 3u, column),
  );
}

// Four neighbouring columns of a query. Queries beyond the last were computed as the last, and write what it is.
fn store(batch: u32, query: u32, head: u32, column: u32, value: vec4f) {
  let row = batch * params.tokens + min(query, params.queries - 1u);
  z[((row * params.heads + params.first_head + head) * params.dim + column) / 4u] = value;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-mix-panel.wgsl */
export const attentionMixPanel: Shader<"v" | "probs" | "z", { BLOCKS: number; SETS: number; SINGLE: boolean; SG: number }, "p_rows" | "v_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "first_head" | "own_heads" | "group" | "dim"> = {
  name: "attention-mix-panel",
  bindings: [{"name":"probs","kind":"read"},{"name":"v","kind":"texture"},{"name":"z","kind":"read_write"}],
  params: [{"name":"p_rows","type":"u32"},{"name":"v_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"first_head","type":"u32"},{"name":"own_heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Mixes the values by attention probability, for software adapters of 4 lanes: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 128 queries times 4 SETS SG columns of a head (lib/panel.wgsl). Where all rows share
// their values (\`batches\` is 1), the queries of all rows are one long list.
//
// Values lie in a texture.
//
// use lib/panel.wgsl
// use lib/sampled.wgsl
// use lib/mix-texels.wgsl
// use lib/grid.wgsl

// Its head, its row of values and its queries; the first column of its first set.
struct Lane { lane: u32, batch: u32, rows: u32, query: u32, head: u32, row: u32, column: u32, }

fn weights_at(at: Lane, which: u32, s: u32) -> Weights {
  let column = min(at.column + 4u * SG * which, params.dim - 4u);
  return Weights(
    four(at.row, at.head, s + neighbours_of(at.lane, 0u), column), four(at.row, at.head, s + neighbours_of(at.lane, 1u), column),
    four(at.row, at.head, s + neighbours_of(at.lane, 2u), column), four(at.row, at.head, s + neighbours_of(at.lane, 3u), column),
  );
}

fn start_of(at: Lane, i: u32) -> u32 { return start(at.rows, at.query + i, at.head); }

// Beyond the last source probabilities are zero.
fn row_at(start: u32, s: u32, lane: u32) -> vec4f {
  let at = vec4u(s + neighbours_of(lane, 0u)) + vec4u(0u, 1u, 2u, 3u);
  let mine = vec4u(start) + min(at, vec4u(params.sources - 1u));
  let row = vec4f(probs[mine.x], probs[mine.y], probs[mine.z], probs[mine.w]);
  return row * select(vec4f(), vec4f(1.0), at < vec4u(params.sources));
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let column = at.column + 4u * SG * which;
  if (column < params.dim) { store(at.batch, at.query + i, at.head, column, value); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + PANEL_ROWS - 1u) / PANEL_ROWS;
  let column_tiles = (params.dim + panel_columns() - 1u) / panel_columns();
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let query = PANEL_ROWS * (tile % query_tiles);
  let queries = min(PANEL_ROWS, params.queries - query);
  let column = panel_columns() * (tile / query_tiles % column_tiles) + 4u * lane;
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let rows = row_of(batch, params.p_rows) * params.tokens;
  make_rows(Lane(lane, batch, rows, query, head, row_of(batch, params.v_rows), column), queries, params.sources);
}

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

// Textures as they are read fastest by SwiftShader, whose storage textures take nearly twice as long.

alias Texels = texture_2d<u32>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at, 0); }

// Values of attention mixes in a texture. The kernel says how it is read: sampled.wgsl, stored.wgsl.
//
// use lib/texels.wgsl
// use lib/mix-frame.wgsl

@group(0) @binding(1) var v: Texels;

fn value(i: u32) -> vec4f { return texel(v, i); }

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// What the attention mixes of tier D share: parameters and bindings, where probabilities start, how the mix is stored. There
// are probabilities of \`own_heads\` of all heads, from first_head on. Brought are v and \`value\`, four words of it:
// mix-buffers.wgsl, mix-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;

struct Params {
  p_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  let flat = first + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  return ((row * params.own_heads + head) * params.tokens + flat - row * params.tokens) * params.sources;
}

// Four neighbouring columns of one source; beyond the last source they meet a zero.
fn columns(row: u32, head: u32, source: u32, column: u32) -> vec4f {
  return value((memory_of(row, min(source, params.sources - 1u), params.first_head + head) + column) / 4u);
}

// Four neighbouring columns of four sources, one source a column.
fn four(row: u32, head: u32, s: u32, column: u32) -> mat4x4f {
  return mat4x4f(
    columns(row, head, s, column), columns(row, head, s + 1u, column),
    columns(row, head, s + 2u, column), columns(row, head, s + 3u, column),
  );
}

// Four neighbouring columns of a query. Queries beyond the last were computed as the last, and write what it is.
fn store(batch: u32, query: u32, head: u32, column: u32, value: vec4f) {
  let row = batch * params.tokens + min(query, params.queries - 1u);
  z[((row * params.heads + params.first_head + head) * params.dim + column) / 4u] = value;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-mix-strips.wgsl */
export const attentionMixStrips: Shader<"v" | "probs" | "z", { SG: number }, "p_rows" | "v_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "first_head" | "own_heads" | "group" | "dim"> = {
  name: "attention-mix-strips",
  bindings: [{"name":"probs","kind":"read"},{"name":"v","kind":"texture-read"},{"name":"z","kind":"read_write"}],
  params: [{"name":"p_rows","type":"u32"},{"name":"v_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"first_head","type":"u32"},{"name":"own_heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Mixes the values by attention probability, for software adapters of 8 lanes: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup is one subgroup and makes 12 queries times 8 SG columns of a head, 3 queries at a time (lib/strip.wgsl).
// Where all rows share their values (\`batches\` is 1), the queries of all rows are one long list.
//
// Values lie in a texture.
//
// use lib/strip.wgsl
// use lib/stored.wgsl
// use lib/mix-texels.wgsl
// use lib/grid.wgsl

// Where a lane's rows of a strip start.
fn starts_of(first: u32, query: u32, head: u32, lane: u32) -> vec2u {
  return vec2u(start(first, query + pair_row(lane), head), start(first, query + STRIP - 1u, head));
}

// Beyond the last source probabilities are zero.
fn rows_at(starts: vec2u, s: u32, lane: u32) -> Rows {
  let at = vec4u(s + 4u * four_of(lane)) + vec4u(0u, 1u, 2u, 3u);
  let own = min(at, vec4u(params.sources - 1u));
  let there = select(vec4f(), vec4f(1.0), at < vec4u(params.sources));
  return Rows(four_probs(vec4u(starts.x) + own) * there, four_probs(vec4u(starts.y) + own) * there);
}

fn four_probs(at: vec4u) -> vec4f { return vec4f(probs[at.x], probs[at.y], probs[at.z], probs[at.w]); }

fn weights(row: u32, head: u32, s: u32, column: u32) -> Weights {
  return weights_of(
    four(row, head, s, column), four(row, head, s + 4u, column), four(row, head, s + 8u, column), four(row, head, s + 12u, column),
  );
}

fn store_set(batch: u32, query: u32, head: u32, column: u32, sums: mat4x3f) {
  let rows = transpose(sums);
  store(batch, query + 0u, head, column, rows[0]);
  store(batch, query + 1u, head, column, rows[1]);
  store(batch, query + 2u, head, column, rows[2]);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let column_tiles = (params.dim + 8u * SG - 1u) / (8u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * column_tiles * params.own_heads * params.batches) { return; }
  let query = STRIPS * STRIP * (tile % query_tiles);
  let strips = strips_from(query, params.queries);
  let column = 8u * SG * (tile / query_tiles % column_tiles) + 4u * lane;
  let column_a = min(column, params.dim - 4u);
  let column_b = min(column + 4u * SG, params.dim - 4u);
  let head = tile / query_tiles / column_tiles % params.own_heads;
  let batch = tile / query_tiles / column_tiles / params.own_heads;
  let first = row_of(batch, params.p_rows) * params.tokens;
  let row = row_of(batch, params.v_rows);
  var starts = array<vec2u, STRIPS>();
  for (var i = 0u; i < STRIPS; i++) { starts[i] = starts_of(first, query + STRIP * i, head, lane); }
  var totals = array<Strip, STRIPS>();
  for (var source = 0u; source < params.sources; source += K_BLOCK) {
    let a = weights(row, head, source, column_a);
    let b = weights(row, head, source, column_b);
    for (var i = 0u; i < strips; i++) {
      add_strip(&totals[i], strip_block(rows_at(starts[i], source, lane), a, b));
    }
  }
  for (var i = 0u; i < strips; i++) {
    store_set(batch, query + STRIP * i, head, column_a, totals[i].a);
    store_set(batch, query + STRIP * i, head, column_b, totals[i].b);
  }
}

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

// The row of a strip that a lane's \`pair\` belongs to, and which four inputs.
fn pair_row(lane: u32) -> u32 { return lane / 4u; }
fn four_of(lane: u32) -> u32 { return lane % 4u; }

// Strips of a tile whose first row is \`row\`, as far as there are so many rows.
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

// Textures as they are read fastest by lavapipe: no lane asks which level it wants, as in sampled textures.

alias Texels = texture_storage_2d<rgba32uint, read>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at); }

// Values of attention mixes in a texture. The kernel says how it is read: sampled.wgsl, stored.wgsl.
//
// use lib/texels.wgsl
// use lib/mix-frame.wgsl

@group(0) @binding(1) var v: Texels;

fn value(i: u32) -> vec4f { return texel(v, i); }

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// What the attention mixes of tier D share: parameters and bindings, where probabilities start, how the mix is stored. There
// are probabilities of \`own_heads\` of all heads, from first_head on. Brought are v and \`value\`, four words of it:
// mix-buffers.wgsl, mix-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;

struct Params {
  p_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  let flat = first + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  return ((row * params.own_heads + head) * params.tokens + flat - row * params.tokens) * params.sources;
}

// Four neighbouring columns of one source; beyond the last source they meet a zero.
fn columns(row: u32, head: u32, source: u32, column: u32) -> vec4f {
  return value((memory_of(row, min(source, params.sources - 1u), params.first_head + head) + column) / 4u);
}

// Four neighbouring columns of four sources, one source a column.
fn four(row: u32, head: u32, s: u32, column: u32) -> mat4x4f {
  return mat4x4f(
    columns(row, head, s, column), columns(row, head, s + 1u, column),
    columns(row, head, s + 2u, column), columns(row, head, s + 3u, column),
  );
}

// Four neighbouring columns of a query. Queries beyond the last were computed as the last, and write what it is.
fn store(batch: u32, query: u32, head: u32, column: u32, value: vec4f) {
  let row = batch * params.tokens + min(query, params.queries - 1u);
  z[((row * params.heads + params.first_head + head) * params.dim + column) / 4u] = value;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-mix.wgsl */
export const attentionMix: Shader<"probs" | "v" | "z", { WG?: number }, "count" | "p_rows" | "v_rows" | "tokens" | "sources" | "prefix" | "heads" | "group" | "dim"> = {
  name: "attention-mix",
  bindings: [{"name":"probs","kind":"read"},{"name":"v","kind":"read"},{"name":"z","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"p_rows","type":"u32"},{"name":"v_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Mixes the values by attention probability, for GPUs: z = probs v per head
//
//   probs [p_rows, heads, tokens, sources]   v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One invocation an element; neighbouring invocations read neighbouring values. The sum has two levels, blocks of
// 16 sources and the total.
//
// use lib/memory.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params {
  count: u32, p_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, heads: u32, group: u32, dim: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> probs: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let d = i % params.dim;
  let head = i / params.dim % params.heads;
  let token = i / params.dim / params.heads % params.tokens;
  let row = i / params.dim / params.heads / params.tokens;
  let p = ((row_of(row, params.p_rows) * params.heads + head) * params.tokens + token) * params.sources;
  let own = row_of(row, params.v_rows);
  var total = 0.0;
  var block = 0.0;
  for (var s = 0u; s < params.sources; s++) {
    block = fma(probs[p + s], v[memory_of(own, s, head) + d], block);
    if (s % 16u == 15u) {
      total += block;
      block = 0.0;
    }
  }
  z[i] = total + block;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-scores-few.wgsl */
export const attentionScoresFew: Shader<"q" | "k" | "y", { WG?: number; SG: number; RAGGED: boolean }, "q_rows" | "k_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "first_head" | "own_heads" | "group" | "dim" | "causal" | "scale" | "minus_infinity"> = {
  name: "attention-scores-few",
  bindings: [{"name":"q","kind":"read"},{"name":"k","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"q_rows","type":"u32"},{"name":"k_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"first_head","type":"u32"},{"name":"own_heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"},{"name":"causal","type":"u32"},{"name":"scale","type":"f32"},{"name":"minus_infinity","type":"f32"}],
  code: {
    plain: `requires immediate_address_space;
// Attention scores for software adapters, of single queries: y = scale q k^T per head, and -inf where a later token would be
// seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One invocation a score: a token that is alone, as in an answer, would leave most of a tile idle. The sum has the order of
// lib/strip.wgsl or lib/panel.wgsl (lib/few.wgsl): blocks of 16 elements and the total.
//
// use lib/few.wgsl
// use lib/scores-buffers.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

// A block of elements from d on. As dim is a multiple of 8, no four of them cross the head's end.
fn block_of(query: u32, key: u32, d: u32, source: u32) -> f32 {
  var sum = 0.0;
  for (var turn = 0u; turn < 4u; turn++) {
    let e = d + neighbours_at(source, turn);
    if (e >= params.dim) { continue; }
    let near = k[(key + e) / 4u];
    sum = fma(q[query + e], near.x, sum);
    sum = fma(q[query + e + 1u], near.y, sum);
    sum = fma(q[query + e + 2u], near.z, sum);
    sum = fma(q[query + e + 3u], near.w, sum);
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  let source = i % params.sources;
  let query = i / params.sources % params.queries;
  let head = i / params.sources / params.queries % params.own_heads;
  let batch = i / params.sources / params.queries / params.own_heads;
  if (batch >= params.batches) { return; }
  let asking = start(row_of(batch, params.q_rows) * params.tokens, query, head);
  let key = memory_of(row_of(batch, params.k_rows), source, params.first_head + head);
  var total = 0.0;
  for (var d = 0u; d < params.dim; d += K_BLOCK) { total += block_of(asking, key, d, source); }
  let p = place(batch, query, head);
  let hidden = params.causal != 0u && source + params.tokens > p.token + params.sources;
  y[p.at + source] = select(total * params.scale, params.minus_infinity, hidden);
}

// The order of a sum within a block of 16 where one invocation makes a product's column alone: that of strips
// (lib/strip.wgsl), one after another, or of the lane that makes the column in panels (lib/panel.wgsl).
//
// The kernel brings SG.

const K_BLOCK = 16u;

// The first of the four neighbours that are added first, second, third or fourth.
fn neighbours_at(column: u32, turn: u32) -> u32 {
  if (SG == 4u) { return 4u * ((column / 4u % 4u) ^ turn); }
  return 4u * turn;
}

// Queries and keys of attention scores in buffers.
//
// use lib/scores-frame.wgsl

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;

fn key(i: u32) -> vec4f { return k[i]; }

// What the attention scores of tier D share: parameters, where queries and keys start, how scores are stored. y has
// \`own_heads\` of all heads, from first_head on. RAGGED: the last block of a head's elements is cut off. Brought are q and k,
// and \`key\`, four words of k: scores-buffers.wgsl, scores-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;
override RAGGED: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  return ((first + min(query, params.queries - 1u)) * params.heads + params.first_head + head) * params.dim;
}

// An element that there is; nothing is compared where blocks fill a head exactly.
fn within(d: u32) -> u32 {
  if (!RAGGED) { return d; }
  return min(d, params.dim - 1u);
}

// Four neighbouring sources; the last one stands for those beyond it.
fn clamped(source: u32) -> vec4u {
  return min(vec4u(source) + vec4u(0u, 1u, 2u, 3u), vec4u(params.sources - 1u));
}

// Where the keys of sources start.
fn keys_of(row: u32, at: vec4u, own_head: u32) -> vec4u {
  let head = params.first_head + own_head;
  return vec4u(memory_of(row, at.x, head), memory_of(row, at.y, head), memory_of(row, at.z, head), memory_of(row, at.w, head));
}

// Four elements of four neighbouring sources, one element a column; beyond the head's end they meet a zero.
fn four(at: vec4u, d: u32) -> mat4x4f {
  let e = vec4u(within(d)) + at;
  return transpose(mat4x4f(key(e.x / 4u), key(e.y / 4u), key(e.z / 4u), key(e.w / 4u)));
}

// A query's token, and where its scores start. Beyond the last query stands the last.
struct Place { token: u32, at: u32, }

fn place(batch: u32, query: u32, head: u32) -> Place {
  let flat = batch * params.tokens + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  let token = flat - row * params.tokens;
  return Place(token, ((row * params.own_heads + head) * params.tokens + token) * params.sources);
}

// Scores of one query with four sources. What lies beyond the last query or source was computed as the last, and writes
// what it is.
fn store(p: Place, sources: vec4u, dots: vec4f) {
  let at = vec4u(p.at) + sources;
  let hidden = vec4<bool>(vec4u(params.causal)) & (sources + vec4u(params.tokens) > vec4u(p.token + params.sources));
  let value = select(dots * params.scale, vec4f(params.minus_infinity), hidden);
  y[at.x] = value.x;
  y[at.y] = value.y;
  y[at.z] = value.z;
  y[at.w] = value.w;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-scores-panel.wgsl */
export const attentionScoresPanel: Shader<"q" | "k" | "y", { BLOCKS: number; SETS: number; SINGLE: boolean; SG: number; RAGGED: boolean }, "q_rows" | "k_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "first_head" | "own_heads" | "group" | "dim" | "causal" | "scale" | "minus_infinity"> = {
  name: "attention-scores-panel",
  bindings: [{"name":"q","kind":"texture"},{"name":"k","kind":"texture"},{"name":"y","kind":"read_write"}],
  params: [{"name":"q_rows","type":"u32"},{"name":"k_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"first_head","type":"u32"},{"name":"own_heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"},{"name":"causal","type":"u32"},{"name":"scale","type":"f32"},{"name":"minus_infinity","type":"f32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Attention scores for software adapters of 4 lanes: y = scale q k^T per head, and -inf where a later token would be seen
// (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 128 queries times 4 SETS SG sources (lib/panel.wgsl). Where all rows share their
// keys (\`batches\` is 1), the queries of all rows are one long list.
//
// Queries and keys lie in textures.
//
// use lib/panel.wgsl
// use lib/sampled.wgsl
// use lib/scores-texels.wgsl
// use lib/grid.wgsl

// Its head and its queries; the first of its first four sources, and where the keys of all sets start.
struct Lane { lane: u32, batch: u32, rows: u32, query: u32, head: u32, source: u32, keys: array<vec4u, 4>, }

fn weights_at(at: Lane, which: u32, d: u32) -> Weights {
  let keys = at.keys[which];
  return Weights(
    four(keys, d + neighbours_of(at.lane, 0u)), four(keys, d + neighbours_of(at.lane, 1u)),
    four(keys, d + neighbours_of(at.lane, 2u)), four(keys, d + neighbours_of(at.lane, 3u)),
  );
}

fn start_of(at: Lane, i: u32) -> u32 { return start(at.rows, at.query + i, at.head); }

// Beyond the head's end queries are zero.
fn row_at(start: u32, d: u32, lane: u32) -> vec4f {
  let at = d + neighbours_of(lane, 0u);
  let query = texel(q, (start + within(at)) / 4u);
  if (!RAGGED) { return query; }
  return select(vec4f(), query, at < params.dim);
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let source = at.source + 4u * SG * which;
  if (source < params.sources) { store(place(at.batch, at.query + i, at.head), clamped(source), value); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + PANEL_ROWS - 1u) / PANEL_ROWS;
  let source_tiles = (params.sources + panel_columns() - 1u) / panel_columns();
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let query = PANEL_ROWS * (tile % query_tiles);
  let queries = min(PANEL_ROWS, params.queries - query);
  let source = panel_columns() * (tile / query_tiles % source_tiles) + 4u * lane;
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
  let rows = row_of(batch, params.q_rows) * params.tokens;
  let row = row_of(batch, params.k_rows);
  let keys = array<vec4u, 4>(
    keys_of(row, clamped(source), head), keys_of(row, clamped(source + 4u * SG), head),
    keys_of(row, clamped(source + 8u * SG), head), keys_of(row, clamped(source + 12u * SG), head),
  );
  make_rows(Lane(lane, batch, rows, query, head, source, keys), queries, params.dim);
}

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

// Textures as they are read fastest by SwiftShader, whose storage textures take nearly twice as long.

alias Texels = texture_2d<u32>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at, 0); }

// Queries and keys of attention scores in textures. The kernel says how these are read: sampled.wgsl, stored.wgsl.
//
// use lib/texels.wgsl
// use lib/scores-frame.wgsl

@group(0) @binding(0) var q: Texels;
@group(0) @binding(1) var k: Texels;

fn key(i: u32) -> vec4f { return texel(k, i); }

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// What the attention scores of tier D share: parameters, where queries and keys start, how scores are stored. y has
// \`own_heads\` of all heads, from first_head on. RAGGED: the last block of a head's elements is cut off. Brought are q and k,
// and \`key\`, four words of k: scores-buffers.wgsl, scores-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;
override RAGGED: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  return ((first + min(query, params.queries - 1u)) * params.heads + params.first_head + head) * params.dim;
}

// An element that there is; nothing is compared where blocks fill a head exactly.
fn within(d: u32) -> u32 {
  if (!RAGGED) { return d; }
  return min(d, params.dim - 1u);
}

// Four neighbouring sources; the last one stands for those beyond it.
fn clamped(source: u32) -> vec4u {
  return min(vec4u(source) + vec4u(0u, 1u, 2u, 3u), vec4u(params.sources - 1u));
}

// Where the keys of sources start.
fn keys_of(row: u32, at: vec4u, own_head: u32) -> vec4u {
  let head = params.first_head + own_head;
  return vec4u(memory_of(row, at.x, head), memory_of(row, at.y, head), memory_of(row, at.z, head), memory_of(row, at.w, head));
}

// Four elements of four neighbouring sources, one element a column; beyond the head's end they meet a zero.
fn four(at: vec4u, d: u32) -> mat4x4f {
  let e = vec4u(within(d)) + at;
  return transpose(mat4x4f(key(e.x / 4u), key(e.y / 4u), key(e.z / 4u), key(e.w / 4u)));
}

// A query's token, and where its scores start. Beyond the last query stands the last.
struct Place { token: u32, at: u32, }

fn place(batch: u32, query: u32, head: u32) -> Place {
  let flat = batch * params.tokens + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  let token = flat - row * params.tokens;
  return Place(token, ((row * params.own_heads + head) * params.tokens + token) * params.sources);
}

// Scores of one query with four sources. What lies beyond the last query or source was computed as the last, and writes
// what it is.
fn store(p: Place, sources: vec4u, dots: vec4f) {
  let at = vec4u(p.at) + sources;
  let hidden = vec4<bool>(vec4u(params.causal)) & (sources + vec4u(params.tokens) > vec4u(p.token + params.sources));
  let value = select(dots * params.scale, vec4f(params.minus_infinity), hidden);
  y[at.x] = value.x;
  y[at.y] = value.y;
  y[at.z] = value.z;
  y[at.w] = value.w;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-scores-strips.wgsl */
export const attentionScoresStrips: Shader<"q" | "k" | "y", { SG: number; RAGGED: boolean }, "q_rows" | "k_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "first_head" | "own_heads" | "group" | "dim" | "causal" | "scale" | "minus_infinity"> = {
  name: "attention-scores-strips",
  bindings: [{"name":"q","kind":"texture-read"},{"name":"k","kind":"texture-read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"q_rows","type":"u32"},{"name":"k_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"first_head","type":"u32"},{"name":"own_heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"},{"name":"causal","type":"u32"},{"name":"scale","type":"f32"},{"name":"minus_infinity","type":"f32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Attention scores for software adapters of 8 lanes: y = scale q k^T per head, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One workgroup is one subgroup and makes 12 queries times 8 SG sources, 3 queries at a time (lib/strip.wgsl). Where all
// rows share their keys (\`batches\` is 1), the queries of all rows are one long list.
//
// Queries and keys lie in textures.
//
// use lib/strip-rows.wgsl
// use lib/scores-texels.wgsl
// use lib/grid.wgsl

// Where a lane's texels of a strip start.
fn starts_of(first: u32, query: u32, head: u32, lane: u32) -> vec2u {
  return vec2u(start(first, query + pair_row(lane), head), start(first, query + STRIP - 1u, head)) / 4u;
}

fn weights(keys: vec4u, d: u32) -> Weights {
  return weights_of(four(keys, d), four(keys, d + 4u), four(keys, d + 8u), four(keys, d + 12u));
}

fn store_set(batch: u32, query: u32, head: u32, sources: vec4u, sums: mat4x3f) {
  let rows = transpose(sums);
  store(place(batch, query + 0u, head), sources, rows[0]);
  store(place(batch, query + 1u, head), sources, rows[1]);
  store(place(batch, query + 2u, head), sources, rows[2]);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query_tiles = (params.queries + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let source_tiles = (params.sources + 8u * SG - 1u) / (8u * SG);
  let tile = linear_group(id, count);
  if (tile >= query_tiles * source_tiles * params.own_heads * params.batches) { return; }
  let query = STRIPS * STRIP * (tile % query_tiles);
  let strips = strips_from(query, params.queries);
  let source = 8u * SG * (tile / query_tiles % source_tiles) + 4u * lane;
  let sources_a = clamped(source);
  let sources_b = clamped(source + 4u * SG);
  let head = tile / query_tiles / source_tiles % params.own_heads;
  let batch = tile / query_tiles / source_tiles / params.own_heads;
  let first = row_of(batch, params.q_rows) * params.tokens;
  let own = row_of(batch, params.k_rows);
  let keys_a = keys_of(own, sources_a, head);
  let keys_b = keys_of(own, sources_b, head);
  var totals = array<Strip, STRIPS>();
  for (var d = 0u; d < params.dim; d += K_BLOCK) {
    let a = weights(keys_a, d);
    let b = weights(keys_b, d);
    for (var i = 0u; i < strips; i++) {
      let starts = starts_of(first, query + STRIP * i, head, lane);
      add_strip(&totals[i], strip_block(rows_at(q, starts, d, params.dim, lane), a, b));
    }
  }
  for (var i = 0u; i < strips; i++) {
    store_set(batch, query + STRIP * i, head, sources_a, totals[i].a);
    store_set(batch, query + STRIP * i, head, sources_b, totals[i].b);
  }
}

// A strip's rows (strip.wgsl) out of a texture. The frame brings RAGGED and \`within\`: matmul-frame.wgsl, scores-frame.wgsl.
//
// use lib/strip.wgsl
// use lib/texels.wgsl
// use lib/stored.wgsl

// A lane's texels of the block of inputs from k on, where the rows start with these texels. Beyond the \`end\` they are zero.
fn rows_at(words: Texels, starts: vec2u, k: u32, end: u32, lane: u32) -> Rows {
  let at = k + 4u * four_of(lane);
  let own = within(at) / 4u;
  let rows = Rows(texel(words, starts.x + own), texel(words, starts.y + own));
  if (!RAGGED) { return rows; }
  let there = at < end;
  return Rows(select(vec4f(), rows.pair, there), select(vec4f(), rows.last, there));
}

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

// The row of a strip that a lane's \`pair\` belongs to, and which four inputs.
fn pair_row(lane: u32) -> u32 { return lane / 4u; }
fn four_of(lane: u32) -> u32 { return lane % 4u; }

// Strips of a tile whose first row is \`row\`, as far as there are so many rows.
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

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by lavapipe: no lane asks which level it wants, as in sampled textures.

alias Texels = texture_storage_2d<rgba32uint, read>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at); }

// Queries and keys of attention scores in textures. The kernel says how these are read: sampled.wgsl, stored.wgsl.
//
// use lib/texels.wgsl
// use lib/scores-frame.wgsl

@group(0) @binding(0) var q: Texels;
@group(0) @binding(1) var k: Texels;

fn key(i: u32) -> vec4f { return texel(k, i); }

// What the attention scores of tier D share: parameters, where queries and keys start, how scores are stored. y has
// \`own_heads\` of all heads, from first_head on. RAGGED: the last block of a head's elements is cut off. Brought are q and k,
// and \`key\`, four words of k: scores-buffers.wgsl, scores-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;
override RAGGED: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  return ((first + min(query, params.queries - 1u)) * params.heads + params.first_head + head) * params.dim;
}

// An element that there is; nothing is compared where blocks fill a head exactly.
fn within(d: u32) -> u32 {
  if (!RAGGED) { return d; }
  return min(d, params.dim - 1u);
}

// Four neighbouring sources; the last one stands for those beyond it.
fn clamped(source: u32) -> vec4u {
  return min(vec4u(source) + vec4u(0u, 1u, 2u, 3u), vec4u(params.sources - 1u));
}

// Where the keys of sources start.
fn keys_of(row: u32, at: vec4u, own_head: u32) -> vec4u {
  let head = params.first_head + own_head;
  return vec4u(memory_of(row, at.x, head), memory_of(row, at.y, head), memory_of(row, at.z, head), memory_of(row, at.w, head));
}

// Four elements of four neighbouring sources, one element a column; beyond the head's end they meet a zero.
fn four(at: vec4u, d: u32) -> mat4x4f {
  let e = vec4u(within(d)) + at;
  return transpose(mat4x4f(key(e.x / 4u), key(e.y / 4u), key(e.z / 4u), key(e.w / 4u)));
}

// A query's token, and where its scores start. Beyond the last query stands the last.
struct Place { token: u32, at: u32, }

fn place(batch: u32, query: u32, head: u32) -> Place {
  let flat = batch * params.tokens + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  let token = flat - row * params.tokens;
  return Place(token, ((row * params.own_heads + head) * params.tokens + token) * params.sources);
}

// Scores of one query with four sources. What lies beyond the last query or source was computed as the last, and writes
// what it is.
fn store(p: Place, sources: vec4u, dots: vec4f) {
  let at = vec4u(p.at) + sources;
  let hidden = vec4<bool>(vec4u(params.causal)) & (sources + vec4u(params.tokens) > vec4u(p.token + params.sources));
  let value = select(dots * params.scale, vec4f(params.minus_infinity), hidden);
  y[at.x] = value.x;
  y[at.y] = value.y;
  y[at.z] = value.z;
  y[at.w] = value.w;
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention-scores.wgsl */
export const attentionScores: Shader<"q" | "k" | "y", { WG?: number }, "count" | "q_rows" | "k_rows" | "tokens" | "sources" | "prefix" | "heads" | "group" | "dim" | "causal" | "scale" | "minus_infinity"> = {
  name: "attention-scores",
  bindings: [{"name":"q","kind":"read"},{"name":"k","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"q_rows","type":"u32"},{"name":"k_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"},{"name":"causal","type":"u32"},{"name":"scale","type":"f32"},{"name":"minus_infinity","type":"f32"}],
  code: {
    plain: `requires immediate_address_space;
// Attention scores for GPUs: y = scale q k^T per head, and -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k (lib/memory.wgsl)   y [rows, heads, tokens, sources]
//
// One invocation a score; neighbouring invocations share their query.
//
// use lib/memory.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params {
  count: u32, q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32,
  heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let source = i % params.sources;
  let token = i / params.sources % params.tokens;
  let head = i / params.sources / params.tokens % params.heads;
  let row = i / params.sources / params.tokens / params.heads;
  let query = ((row_of(row, params.q_rows) * params.tokens + token) * params.heads + head) * params.dim;
  let key = memory_of(row_of(row, params.k_rows), source, head);
  var parts = vec4f();
  for (var d = 0u; d < params.dim; d += 4u) {
    let a = vec4f(q[query + d], q[query + d + 1u], q[query + d + 2u], q[query + d + 3u]);
    let b = vec4f(k[key + d], k[key + d + 1u], k[key + d + 2u], k[key + d + 3u]);
    parts = fma(a, b, parts);
  }
  let score = ((parts.x + parts.y) + (parts.z + parts.w)) * params.scale;
  let hidden = params.causal != 0u && source + params.tokens > token + params.sources;
  y[i] = select(score, params.minus_infinity, hidden);
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/attention.wgsl */
export const attention: Shader<"q" | "k" | "v" | "z", { QUERIES: number }, "q_rows" | "k_rows" | "v_rows" | "tokens" | "sources" | "prefix" | "batches" | "queries" | "heads" | "group" | "dim" | "causal" | "scale" | "minus_infinity"> = {
  name: "attention",
  bindings: [{"name":"q","kind":"read"},{"name":"k","kind":"read"},{"name":"v","kind":"read"},{"name":"z","kind":"read_write"}],
  params: [{"name":"q_rows","type":"u32"},{"name":"k_rows","type":"u32"},{"name":"v_rows","type":"u32"},{"name":"tokens","type":"u32"},{"name":"sources","type":"u32"},{"name":"prefix","type":"u32"},{"name":"batches","type":"u32"},{"name":"queries","type":"u32"},{"name":"heads","type":"u32"},{"name":"group","type":"u32"},{"name":"dim","type":"u32"},{"name":"causal","type":"u32"},{"name":"scale","type":"f32"},{"name":"minus_infinity","type":"f32"}],
  code: {
    plain: `requires immediate_address_space;
// Attention for GPUs in one kernel: z = softmax(scale q k^T) v per head, -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k, v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup makes QUERIES queries of a head; their scores never leave workgroup memory. Every sum is in the order of
// attention-scores.wgsl, softmax.wgsl and attention-mix.wgsl, so z has the bits that these make one after the other. Where
// all rows share their memory (\`batches\` is 1), the queries of all rows are one long list.
//
// use lib/memory.wgsl
// use lib/reduce.workgroup.wgsl
// use lib/exp.wgsl
// use lib/grid.wgsl

override QUERIES: u32;
const WG = 64u;
const MOST_QUERIES = 8u;
const SCORES = 3840u; // with the tree of sums within the 16 KiB that every device has
override SPAN = SCORES / QUERIES;

struct Params {
  q_rows: u32, k_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

var<workgroup> scores: array<f32, SCORES>;

// Beyond the last query stands the last.
fn query_of(first: u32, i: u32) -> u32 { return min(first + i, params.queries - 1u); }

fn score(first: u32, batch: u32, head: u32, source: u32) {
  let start = row_of(batch, params.q_rows) * params.tokens;
  let key = memory_of(row_of(batch, params.k_rows), source, head);
  var parts = array<vec4f, MOST_QUERIES>();
  for (var d = 0u; d < params.dim; d += 4u) {
    let b = k[(key + d) / 4u];
    for (var i = 0u; i < QUERIES; i++) {
      let query = ((start + query_of(first, i)) * params.heads + head) * params.dim;
      parts[i] = fma(q[(query + d) / 4u], b, parts[i]);
    }
  }
  for (var i = 0u; i < QUERIES; i++) {
    let token = (batch * params.tokens + query_of(first, i)) % params.tokens;
    let dots = ((parts[i].x + parts[i].y) + (parts[i].z + parts[i].w)) * params.scale;
    let hidden = params.causal != 0u && source + params.tokens > token + params.sources;
    scores[i * SPAN + source] = select(dots, params.minus_infinity, hidden);
  }
}

// A lane reads and writes what it made itself.
fn softmax(at: u32, lane: u32) {
  var largest = -3.4e38;
  for (var i = lane; i < params.sources; i += WG) { largest = max(largest, scores[at + i]); }
  largest = group_max(largest, lane);
  var total = 0.0;
  for (var i = lane; i < params.sources; i += WG) {
    let e = exp_exact(scores[at + i] - largest);
    scores[at + i] = e;
    total += e;
  }
  total = group_sum(total, lane);
  for (var i = lane; i < params.sources; i += WG) { scores[at + i] = scores[at + i] / total; }
}

fn mix(first: u32, batch: u32, head: u32, d: u32) {
  let row = row_of(batch, params.v_rows);
  var totals = array<f32, MOST_QUERIES>();
  var blocks = array<f32, MOST_QUERIES>();
  for (var s = 0u; s < params.sources; s++) {
    let value = v[memory_of(row, s, head) + d];
    for (var i = 0u; i < QUERIES; i++) { blocks[i] = fma(scores[i * SPAN + s], value, blocks[i]); }
    if (s % 16u == 15u) {
      for (var i = 0u; i < QUERIES; i++) {
        totals[i] += blocks[i];
        blocks[i] = 0.0;
      }
    }
  }
  for (var i = 0u; i < QUERIES; i++) {
    if (first + i < params.queries) {
      z[((batch * params.tokens + first + i) * params.heads + head) * params.dim + d] = totals[i] + blocks[i];
    }
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tiles = (params.queries + QUERIES - 1u) / QUERIES;
  let tile = linear_group(id, count);
  if (tile >= tiles * params.heads * params.batches) { return; }
  let first = QUERIES * (tile % tiles);
  let head = tile / tiles % params.heads;
  let batch = tile / tiles / params.heads;
  for (var source = lane; source < params.sources; source += WG) { score(first, batch, head, source); }
  for (var i = 0u; i < QUERIES; i++) { softmax(i * SPAN, lane); }
  workgroupBarrier();
  for (var d = lane; d < params.dim; d += WG) { mix(first, batch, head, d); }
}

// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first \`prefix\` sources are the same for all rows. \`group\` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}

// Sums and maxima over a workgroup by a tree in workgroup memory: needs no subgroups. WG is a power of two.

var<workgroup> tree: array<f32, WG>;
var<workgroup> index_tree: array<u32, WG>;

fn group_sum(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let total = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return total;
}

fn group_max(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] = max(tree[lane], tree[lane + half]); }
  }
  let largest = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return largest;
}

fn group_min_index(value: u32, lane: u32) -> u32 {
  index_tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { index_tree[lane] = min(index_tree[lane], index_tree[lane + half]); }
  }
  let smallest = workgroupUniformLoad(&index_tree[0]);
  workgroupBarrier();
  return smallest;
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/columns.wgsl */
export const columns: Shader<"x" | "y", { WG?: number }, "count" | "x_width" | "first" | "width"> = {
  name: "columns",
  bindings: [{"name":"x","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"x_width","type":"u32"},{"name":"first","type":"u32"},{"name":"width","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// A block of columns: y[v] = x[v, first .. first + width], 0 where x has no column
//
//   x [vectors, x_width]   y [vectors, width]
//
// Takes q, k and v out of a fused projection; fills rows up to a width.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, x_width: u32, first: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let column = params.first + i % params.width;
  y[i] = select(0.0, x[i / params.width * params.x_width + min(column, params.x_width - 1u)], column < params.x_width);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/gated-silu.wgsl */
export const gatedSilu: Shader<"gate" | "up" | "y", { WG?: number; SILU: boolean; UP: boolean }, "count" | "row_size" | "gate_rows" | "up_rows"> = {
  name: "gated-silu",
  bindings: [{"name":"gate","kind":"read"},{"name":"up","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"row_size","type":"u32"},{"name":"gate_rows","type":"u32"},{"name":"up_rows","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// LLaMA's gate: y = silu(gate) up,  silu(g) = g sigmoid(g)
//
//   gate [gate_rows, row_size]   up [up_rows, row_size] (bound to gate without UP)   y [rows, row_size]
//
// Without UP it is silu alone, without SILU the product alone: the two halves, one after the other, give the same bits.
//
// use lib/swish.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;
override SILU: bool;
override UP: bool;

struct Params { count: u32, row_size: u32, gate_rows: u32, up_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> gate: array<f32>;
@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let row = i / params.row_size;
  let within = i % params.row_size;
  var value = gate[row_of(row, params.gate_rows) * params.row_size + within];
  if (SILU) { value = times_sigmoid(value, value); }
  if (UP) { value *= up[row_of(row, params.up_rows) * params.row_size + within]; }
  y[i] = value;
}

// x sigmoid(s) with the exponential of a negative number only, so that nothing overflows.
// use lib/exp.wgsl

fn times_sigmoid(x: f32, s: f32) -> f32 {
  let e = exp_exact(-abs(s));
  return select(x, x * e, s < 0.0) / (1.0 + e);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/gather.wgsl */
export const gather: Shader<"table" | "ids" | "y", { WG?: number; WIDTH: number; HALF: boolean; HALF_FLUSHES?: boolean }, "count" | "first" | "entries"> = {
  name: "gather",
  bindings: [{"name":"table","kind":"read"},{"name":"ids","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"first","type":"u32"},{"name":"entries","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Rows of a table: y[i] = table[ids[i]], as far as this part of the table has them
//
//   table [entries, WIDTH] from entry \`first\` on, float32, or float16 two to a word (HALF)   ids [count]   y [count, WIDTH]
//
// A table may be larger than what an adapter binds in one piece: then each part is a dispatch that leaves the others' rows.
//
// use lib/half.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;
override WIDTH: u32;
override HALF: bool;

struct Params { count: u32, first: u32, entries: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let entry = ids[i / WIDTH] - params.first; // wraps where it lies before this part
  if (entry >= params.entries) { return; }
  let at = entry * WIDTH + i % WIDTH;
  if (HALF) {
    let pair = open_half(table[at / 2u]);
    y[i] = select(pair.x, pair.y, at % 2u == 1u);
  } else {
    y[i] = bitcast<f32>(table[at]);
  }
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/gelu.wgsl */
export const gelu: Shader<"x" | "y", { WG?: number }, "count"> = {
  name: "gelu",
  bindings: [{"name":"x","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// The exact GELU: y = x / 2 (1 + erf(x / sqrt 2))
//
//   x, y  [count]
//
// An invocation makes four neighbours; memory is lent in multiples of that.
//
// use lib/erf.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

fn gelu(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.70710678)); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (4u * i >= params.count) { return; }
  let v = x[i];
  y[i] = vec4f(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
}

// erf(x) within 2 ulp of float32.
//
//   |x| <= 0.9:  x + x q(x^2);   else  sign(x) (1 - exp(-|x| - |x| p(|x|))),  which is 1 from 4 on
//
// Coefficients: fit-coefficients.py.
// use lib/exp.wgsl

fn erf(x: f32) -> f32 {
  let s = x * x;
  var q = fma(s, 7.954432e-05, -0.0008042254);
  q = fma(q, s, 0.0051919506);
  q = fma(q, s, -0.026855625);
  q = fma(q, s, 0.11283625);
  q = fma(q, s, -0.3761263);
  q = fma(q, s, 0.12837917);
  let near = fma(q, x, x);
  let t = min(abs(x), 4.0);
  var p = fma(t, -2.320718e-06, 3.696644e-05);
  p = fma(p, t, -0.00023444417);
  p = fma(p, t, 0.00057208585);
  p = fma(p, t, 0.0016802973);
  p = fma(p, t, -0.021101736);
  p = fma(p, t, 0.10405312);
  p = fma(p, t, 0.63614583);
  p = fma(p, t, 0.12845571);
  let far = sign(x) * (1.0 - exp_exact(-fma(p, t, t)));
  return select(far, near, abs(x) <= 0.9);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/head-change.wgsl */
export const headChange: Shader<"now" | "before" | "y", { WG?: number }, "count" | "heads" | "tokens" | "width" | "now_rows" | "before_rows"> = {
  name: "head-change",
  bindings: [{"name":"now","kind":"read"},{"name":"before","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"heads","type":"u32"},{"name":"tokens","type":"u32"},{"name":"width","type":"u32"},{"name":"now_rows","type":"u32"},{"name":"before_rows","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// What replaced head results add to the attention's output: y[r, t] = sum over h of (now[r, h, t] - before[r, h, t])
//
//   now [now_rows, heads, tokens, width]   before [before_rows, …]   y [rows, tokens, width]
//
// With nothing replaced every difference is zero, so the output keeps its bits.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, heads: u32, tokens: u32, width: u32, now_rows: u32, before_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> now: array<f32>;
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let size = params.tokens * params.width;
  let row = i / size;
  let within = i % size;
  var total = 0.0;
  for (var h = 0u; h < params.heads; h++) {
    let a = now[(row_of(row, params.now_rows) * params.heads + h) * size + within];
    total += a - before[(row_of(row, params.before_rows) * params.heads + h) * size + within];
  }
  y[i] = total;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/isolate-heads.wgsl */
export const isolateHeads: Shader<"z" | "y", { WG?: number }, "count" | "tokens" | "heads" | "dim"> = {
  name: "isolate-heads",
  bindings: [{"name":"z","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"tokens","type":"u32"},{"name":"heads","type":"u32"},{"name":"dim","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Each head's context alone: y[r, h, t] = z[r, t] with all heads but h set to zero
//
//   z [rows, tokens, heads, dim]   y [rows, heads, tokens, heads, dim]
//
// The output projection of y is what each head adds to the residual stream.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, tokens: u32, heads: u32, dim: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let width = params.heads * params.dim;
  let within = i % width;
  let token = i / width % params.tokens;
  let head = i / width / params.tokens % params.heads;
  let row = i / width / params.tokens / params.heads;
  y[i] = select(0.0, z[(row * params.tokens + token) * width + within], within / params.dim == head);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/layer-norm.wgsl */
export const layerNorm: Shader<"x" | "residual" | "weight" | "bias" | "y", { WG: number; WIDTH: number; EPS: number; RESIDUAL: boolean }, "vectors" | "row_size" | "x_rows" | "residual_rows"> = {
  name: "layer-norm",
  bindings: [{"name":"x","kind":"read"},{"name":"residual","kind":"read"},{"name":"weight","kind":"read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"row_size","type":"u32"},{"name":"x_rows","type":"u32"},{"name":"residual_rows","type":"u32"}],
  code: {
    subgroup: `enable subgroups;
requires immediate_address_space;
// LayerNorm over the last axis: y = (s - mean) / sqrt(variance + EPS) * weight + bias,  s = x + residual
//
//   x             [x_rows, row_size / WIDTH, WIDTH]     residual the same with residual_rows (bound to x without RESIDUAL)
//   y             [rows, row_size / WIDTH, WIDTH]
//   weight, bias  [WIDTH]
//
// One workgroup per vector, two passes: mean first, then variance about that mean,
// because E[s^2] - E[s]^2 cancels badly when the mean is large.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl

override WG: u32;
override WIDTH: u32;
override EPS: f32;
override RESIDUAL: bool;

struct Params { vectors: u32, row_size: u32, x_rows: u32, residual_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> residual: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let out = vector * WIDTH;
  let row = out / params.row_size;
  let within = out % params.row_size;
  let own = row_of(row, params.x_rows) * params.row_size + within;
  let beside = row_of(row, params.residual_rows) * params.row_size + within;

  var total = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    var s = x[own + i];
    if (RESIDUAL) { s += residual[beside + i]; }
    y[out + i] = s;
    total += s;
  }
  let mean = group_sum(total, lane) / f32(WIDTH);
  var squares = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    let d = y[out + i] - mean;
    squares += d * d;
  }
  let scale = 1.0 / sqrt(group_sum(squares, lane) / f32(WIDTH) + EPS);
  for (var i = lane; i < WIDTH; i += WG) {
    y[out + i] = (y[out + i] - mean) * scale * weight[i] + bias[i];
  }
}

// Sums and maxima over a workgroup that is one subgroup: no barrier, no workgroup memory.
// For software adapters, where a barrier costs more than the sum.

fn group_sum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }

fn group_max(value: f32, lane: u32) -> f32 { return subgroupMax(value); }

fn group_min_index(value: u32, lane: u32) -> u32 { return subgroupMin(value); }

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
    workgroup: `requires immediate_address_space;
// LayerNorm over the last axis: y = (s - mean) / sqrt(variance + EPS) * weight + bias,  s = x + residual
//
//   x             [x_rows, row_size / WIDTH, WIDTH]     residual the same with residual_rows (bound to x without RESIDUAL)
//   y             [rows, row_size / WIDTH, WIDTH]
//   weight, bias  [WIDTH]
//
// One workgroup per vector, two passes: mean first, then variance about that mean,
// because E[s^2] - E[s]^2 cancels badly when the mean is large.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl

override WG: u32;
override WIDTH: u32;
override EPS: f32;
override RESIDUAL: bool;

struct Params { vectors: u32, row_size: u32, x_rows: u32, residual_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> residual: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let out = vector * WIDTH;
  let row = out / params.row_size;
  let within = out % params.row_size;
  let own = row_of(row, params.x_rows) * params.row_size + within;
  let beside = row_of(row, params.residual_rows) * params.row_size + within;

  var total = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    var s = x[own + i];
    if (RESIDUAL) { s += residual[beside + i]; }
    y[out + i] = s;
    total += s;
  }
  let mean = group_sum(total, lane) / f32(WIDTH);
  var squares = 0.0;
  for (var i = lane; i < WIDTH; i += WG) {
    let d = y[out + i] - mean;
    squares += d * d;
  }
  let scale = 1.0 / sqrt(group_sum(squares, lane) / f32(WIDTH) + EPS);
  for (var i = lane; i < WIDTH; i += WG) {
    y[out + i] = (y[out + i] - mean) * scale * weight[i] + bias[i];
  }
}

// Sums and maxima over a workgroup by a tree in workgroup memory: needs no subgroups. WG is a power of two.

var<workgroup> tree: array<f32, WG>;
var<workgroup> index_tree: array<u32, WG>;

fn group_sum(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let total = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return total;
}

fn group_max(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] = max(tree[lane], tree[lane + half]); }
  }
  let largest = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return largest;
}

fn group_min_index(value: u32, lane: u32) -> u32 {
  index_tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { index_tree[lane] = min(index_tree[lane], index_tree[lane + half]); }
  }
  let smallest = workgroupUniformLoad(&index_tree[0]);
  workgroupBarrier();
  return smallest;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/logit-scores.wgsl */
export const logitScores: Shader<"logits" | "clean" | "answers" | "scores", { WG: number }, "rows" | "width" | "each"> = {
  name: "logit-scores",
  bindings: [{"name":"logits","kind":"read"},{"name":"clean","kind":"read"},{"name":"answers","kind":"read"},{"name":"scores","kind":"read_write"}],
  params: [{"name":"rows","type":"u32"},{"name":"width","type":"u32"},{"name":"each","type":"u32"}],
  code: {
    subgroup: `enable subgroups;
requires immediate_address_space;
// What a sweep keeps of a row of logits z, given the logits c of its clean run and the ids of its two answers:
//
//   scores [rows, 9]: z[correct], z[incorrect], max z, sum exp(z - max z), argmax z (its index, as a number),
//                     rank of the correct answer (1 = largest), number of NaN and Inf, sum exp(c - max c),
//                     sum p ((c - max c) - (z - max z)) with p = softmax c
//
//   logits [rows, width]   clean [rows / each, width]   answers [rows / each, 2]
//
// One workgroup a row; the sums never depend on how many rows there are. The logarithms are left to the host: with them
// logsumexp z = max z + log of the sum, KL(p || softmax z) = the last sum - log of the clean sum + log of the sum.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl
// use lib/exp.wgsl

override WG: u32;

struct Params { rows: u32, width: u32, each: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> clean: array<f32>;
@group(0) @binding(2) var<storage, read> answers: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = linear_group(id, count);
  if (row >= params.rows) { return; }
  let at = row * params.width;
  let run = row / params.each;
  let own = run * params.width;
  let correct = answers[run].x;
  let incorrect = answers[run].y;
  let answer = logits[at + correct];

  var largest = -3.4e38;
  var clean_largest = -3.4e38;
  var above = 0.0;
  var broken = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let z = logits[at + i];
    largest = max(largest, z);
    clean_largest = max(clean_largest, clean[own + i]);
    above += select(0.0, 1.0, z > answer);
    broken += select(1.0, 0.0, finite(z));
  }
  largest = group_max(largest, lane);
  clean_largest = group_max(clean_largest, lane);
  let rank = group_sum(above, lane) + 1.0;
  let not_finite = group_sum(broken, lane);

  var total = 0.0;
  var clean_total = 0.0;
  var first = 0xffffffffu;
  for (var i = lane; i < params.width; i += WG) {
    let z = logits[at + i];
    total += exp_exact(z - largest);
    clean_total += exp_exact(clean[own + i] - clean_largest);
    if (z == largest) { first = min(first, i); }
  }
  let sum = group_sum(total, lane);
  let clean_sum = group_sum(clean_total, lane);
  let top = group_min_index(first, lane);

  var divergence = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let p = exp_exact(clean[own + i] - clean_largest) / clean_sum;
    divergence += p * ((clean[own + i] - clean_largest) - (logits[at + i] - largest));
  }
  divergence = group_sum(divergence, lane);

  if (lane == 0u) {
    let out = 9u * row;
    scores[out] = answer;
    scores[out + 1u] = logits[at + incorrect];
    scores[out + 2u] = largest;
    scores[out + 3u] = sum;
    scores[out + 4u] = f32(top);
    scores[out + 5u] = rank;
    scores[out + 6u] = not_finite;
    scores[out + 7u] = clean_sum;
    scores[out + 8u] = divergence;
  }
}

// Sums and maxima over a workgroup that is one subgroup: no barrier, no workgroup memory.
// For software adapters, where a barrier costs more than the sum.

fn group_sum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }

fn group_max(value: f32, lane: u32) -> f32 { return subgroupMax(value); }

fn group_min_index(value: u32, lane: u32) -> u32 { return subgroupMin(value); }

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}
`,
    workgroup: `requires immediate_address_space;
// What a sweep keeps of a row of logits z, given the logits c of its clean run and the ids of its two answers:
//
//   scores [rows, 9]: z[correct], z[incorrect], max z, sum exp(z - max z), argmax z (its index, as a number),
//                     rank of the correct answer (1 = largest), number of NaN and Inf, sum exp(c - max c),
//                     sum p ((c - max c) - (z - max z)) with p = softmax c
//
//   logits [rows, width]   clean [rows / each, width]   answers [rows / each, 2]
//
// One workgroup a row; the sums never depend on how many rows there are. The logarithms are left to the host: with them
// logsumexp z = max z + log of the sum, KL(p || softmax z) = the last sum - log of the clean sum + log of the sum.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl
// use lib/exp.wgsl

override WG: u32;

struct Params { rows: u32, width: u32, each: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> clean: array<f32>;
@group(0) @binding(2) var<storage, read> answers: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = linear_group(id, count);
  if (row >= params.rows) { return; }
  let at = row * params.width;
  let run = row / params.each;
  let own = run * params.width;
  let correct = answers[run].x;
  let incorrect = answers[run].y;
  let answer = logits[at + correct];

  var largest = -3.4e38;
  var clean_largest = -3.4e38;
  var above = 0.0;
  var broken = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let z = logits[at + i];
    largest = max(largest, z);
    clean_largest = max(clean_largest, clean[own + i]);
    above += select(0.0, 1.0, z > answer);
    broken += select(1.0, 0.0, finite(z));
  }
  largest = group_max(largest, lane);
  clean_largest = group_max(clean_largest, lane);
  let rank = group_sum(above, lane) + 1.0;
  let not_finite = group_sum(broken, lane);

  var total = 0.0;
  var clean_total = 0.0;
  var first = 0xffffffffu;
  for (var i = lane; i < params.width; i += WG) {
    let z = logits[at + i];
    total += exp_exact(z - largest);
    clean_total += exp_exact(clean[own + i] - clean_largest);
    if (z == largest) { first = min(first, i); }
  }
  let sum = group_sum(total, lane);
  let clean_sum = group_sum(clean_total, lane);
  let top = group_min_index(first, lane);

  var divergence = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let p = exp_exact(clean[own + i] - clean_largest) / clean_sum;
    divergence += p * ((clean[own + i] - clean_largest) - (logits[at + i] - largest));
  }
  divergence = group_sum(divergence, lane);

  if (lane == 0u) {
    let out = 9u * row;
    scores[out] = answer;
    scores[out + 1u] = logits[at + incorrect];
    scores[out + 2u] = largest;
    scores[out + 3u] = sum;
    scores[out + 4u] = f32(top);
    scores[out + 5u] = rank;
    scores[out + 6u] = not_finite;
    scores[out + 7u] = clean_sum;
    scores[out + 8u] = divergence;
  }
}

// Sums and maxima over a workgroup by a tree in workgroup memory: needs no subgroups. WG is a power of two.

var<workgroup> tree: array<f32, WG>;
var<workgroup> index_tree: array<u32, WG>;

fn group_sum(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let total = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return total;
}

fn group_max(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] = max(tree[lane], tree[lane + half]); }
  }
  let largest = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return largest;
}

fn group_min_index(value: u32, lane: u32) -> u32 {
  index_tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { index_tree[lane] = min(index_tree[lane], index_tree[lane + half]); }
  }
  let smallest = workgroupUniformLoad(&index_tree[0]);
  workgroupBarrier();
  return smallest;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}
`,
  },
};

/** shaders/matmul-few.wgsl */
export const matmulFew: Shader<"x" | "weight" | "bias" | "y", { HALF: boolean; NF4: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-few",
  bindings: [{"name":"x","kind":"read"},{"name":"weight","kind":"read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Matrix product with bias for GPUs, few vectors: y = x W^T + b
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup makes a tile of 16 x 16, so that many share the weights out where a tile of matmul.wgsl would be mostly empty.
// Both operands pass through workgroup memory 16 inputs at a time, transposed and padded so that neighbouring lanes read
// neighbouring banks. Sums are kept in two levels as there, with the same bits.
//
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

const SIDE = 16u;
const STRIDE = SIDE + 1u;
var<workgroup> xs: array<f32, SIDE * STRIDE>;
var<workgroup> ws: array<f32, SIDE * STRIDE>;

@compute @workgroup_size(SIDE * SIDE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + SIDE - 1u) / SIDE;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + SIDE - 1u) / SIDE)) { return; }
  let row = SIDE * (tile % row_tiles);
  let column = SIDE * (tile / row_tiles);
  let high = lane / SIDE;
  let low = lane % SIDE;
  var total = 0.0;
  for (var k = 0u; k < params.k; k += SIDE) {
    xs[low * STRIDE + high] = input_at(row + high, k + low);
    ws[low * STRIDE + high] = weight_of(column + high, k + low);
    workgroupBarrier();
    var block = 0.0;
    for (var j = 0u; j < SIDE; j++) { block = fma(xs[j * STRIDE + high], ws[j * STRIDE + low], block); }
    workgroupBarrier();
    total += block;
  }
  store(row + high, column + low, total);
}

// What the matrix products of tiers A and B share: parameters and bindings, how operands are read and outputs stored. Of the
// weight and the bias n outputs from \`first\` on are made. Operands beyond the edges are zero; what lies there is not stored.
//
// use lib/weight-at.wgsl
// use lib/planes.wgsl

override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn input_at(row: u32, k: u32) -> f32 {
  if (row >= params.vectors || k >= params.k) { return 0.0; }
  return x[row * params.k + k];
}

fn weight_of(output: u32, k: u32) -> f32 {
  if (output >= params.n || k >= params.k) { return 0.0; }
  return weight_at(params.first + output, k);
}

fn store(row: u32, n: u32, value: f32) {
  if (row >= params.vectors || n >= params.n) { return; }
  var b = 0.0;
  if (params.has_bias != 0u) { b = bias[params.first + n]; }
  y[output_at(row, n)] = value + b;
}

// A weight of a matrix in a buffer: float32, float16 two to a word (HALF), or NF4, with float16 scales if HALF. The kernel
// brings weight, params.k, HALF, NF4.
//
// use lib/nf4.wgsl

fn weight_at(row: u32, k: u32) -> f32 {
  if (NF4) {
    let start = row * nf4_words(params.k);
    let level = NF4_LEVELS[(weight[start + nf4_word(k)] >> (4u * (k % 8u))) & 15u];
    let block = nf4_block(params.k, row, k);
    return level * nf4_scale(weight[start + nf4_scale_word(params.k, block)], block);
  }
  let at = row * params.k + k;
  if (HALF) {
    let pair = open_half(weight[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  }
  return bitcast<f32>(weight[at]);
}

// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/matmul-matrix.wgsl */
export const matmulMatrix: Shader<"x" | "weight" | "bias" | "y", { HALF: boolean; NF4: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-matrix",
  bindings: [{"name":"x","kind":"read"},{"name":"weight","kind":"read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    units: `enable subgroups;
enable f16;
enable chromium_experimental_subgroup_matrix;
requires immediate_address_space;
// Matrix product with bias on float16 matrix units: y = x W^T + b, products of float16, sums in float32. Not exact.
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup of four times 32 lanes makes a tile of 64 x 64, each subgroup a quarter of it in four matrices of 16 x 16.
// Both operands pass through workgroup memory 32 inputs at a time, rounded to float16; rows are padded so that matrices
// below each other lie in other banks. What lies beyond the edges is zero, and is not stored.
//
// use lib/matrix.wgsl
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

const TILE = 64u;
const QUARTER = 32u;
const STEP = 32u;
const SIDE = 16u;
const STRIDE = STEP + 8u;
const LANES = 128u;
var<workgroup> xs: array<Half, TILE * STRIDE>;
var<workgroup> ws: array<Half, TILE * STRIDE>;
var<workgroup> results: array<f32, 4u * SIDE * SIDE>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32, @builtin(subgroup_id) subgroup: u32,
) {
  let row_tiles = (params.vectors + TILE - 1u) / TILE;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + TILE - 1u) / TILE)) { return; }
  let row = TILE * (tile % row_tiles);
  let column = TILE * (tile / row_tiles);
  let quarter = quarter_of(subgroup, lane);
  let down = QUARTER * (quarter / 2u);
  let across = QUARTER * (quarter % 2u);
  var sums: Sums;
  for (var k = 0u; k < params.k; k += STEP) {
    for (var i = lane; i < TILE * STEP; i += LANES) {
      let line = i / STEP;
      let input = k + i % STEP;
      xs[line * STRIDE + i % STEP] = to_half(input_at(row + line, input));
      ws[line * STRIDE + i % STEP] = to_half(weight_of(column + line, input));
    }
    workgroupBarrier();
    for (var j = 0u; j < STEP; j += SIDE) { multiply_add(&sums, down * STRIDE + j, across * STRIDE + j, lane); }
    workgroupBarrier();
  }
  for (var part = 0u; part < 4u; part++) {
    put(&sums, part, SIDE * SIDE * quarter, lane);
    workgroupBarrier();
    let first = row + down + SIDE * (part / 2u);
    let left = column + across + SIDE * (part % 2u);
    for (var i = lane % 32u; i < SIDE * SIDE; i += 32u) {
      store(first + i / SIDE, left + i % SIDE, results[SIDE * SIDE * quarter + i]);
    }
    workgroupBarrier();
  }
}

// Four matrices of 16 x 16 in a subgroup of 32 lanes, on the adapter's matrix units: float16 products, float32 sums.
// The kernel brings xs and ws, rows of STRIDE halves, and results.

alias Half = f16;
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = array<subgroup_matrix_result<f32, 16, 16>, 4>;

fn to_half(value: f32) -> Half { return f16(value); }

fn quarter_of(subgroup: u32, lane: u32) -> u32 { return subgroup; }

// sums += 32 rows of xs times 32 rows of ws, 16 inputs from x_at and w_at on.
fn multiply_add(sums: ptr<function, Sums>, x_at: u32, w_at: u32, lane: u32) {
  let a = subgroupMatrixLoad<Left, row_major>(&xs, x_at, STRIDE);
  let b = subgroupMatrixLoad<Left, row_major>(&xs, x_at + SIDE * STRIDE, STRIDE);
  let v = subgroupMatrixLoad<Right, col_major>(&ws, w_at, STRIDE);
  let w = subgroupMatrixLoad<Right, col_major>(&ws, w_at + SIDE * STRIDE, STRIDE);
  (*sums)[0] = subgroupMatrixMultiplyAccumulate(a, v, (*sums)[0]);
  (*sums)[1] = subgroupMatrixMultiplyAccumulate(a, w, (*sums)[1]);
  (*sums)[2] = subgroupMatrixMultiplyAccumulate(b, v, (*sums)[2]);
  (*sums)[3] = subgroupMatrixMultiplyAccumulate(b, w, (*sums)[3]);
}

fn put(sums: ptr<function, Sums>, part: u32, at: u32, lane: u32) {
  switch (part) {
    case 0u: { subgroupMatrixStore<row_major>(&results, at, (*sums)[0], SIDE); }
    case 1u: { subgroupMatrixStore<row_major>(&results, at, (*sums)[1], SIDE); }
    case 2u: { subgroupMatrixStore<row_major>(&results, at, (*sums)[2], SIDE); }
    default: { subgroupMatrixStore<row_major>(&results, at, (*sums)[3], SIDE); }
  }
}

// What the matrix products of tiers A and B share: parameters and bindings, how operands are read and outputs stored. Of the
// weight and the bias n outputs from \`first\` on are made. Operands beyond the edges are zero; what lies there is not stored.
//
// use lib/weight-at.wgsl
// use lib/planes.wgsl

override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn input_at(row: u32, k: u32) -> f32 {
  if (row >= params.vectors || k >= params.k) { return 0.0; }
  return x[row * params.k + k];
}

fn weight_of(output: u32, k: u32) -> f32 {
  if (output >= params.n || k >= params.k) { return 0.0; }
  return weight_at(params.first + output, k);
}

fn store(row: u32, n: u32, value: f32) {
  if (row >= params.vectors || n >= params.n) { return; }
  var b = 0.0;
  if (params.has_bias != 0u) { b = bias[params.first + n]; }
  y[output_at(row, n)] = value + b;
}

// A weight of a matrix in a buffer: float32, float16 two to a word (HALF), or NF4, with float16 scales if HALF. The kernel
// brings weight, params.k, HALF, NF4.
//
// use lib/nf4.wgsl

fn weight_at(row: u32, k: u32) -> f32 {
  if (NF4) {
    let start = row * nf4_words(params.k);
    let level = NF4_LEVELS[(weight[start + nf4_word(k)] >> (4u * (k % 8u))) & 15u];
    let block = nf4_block(params.k, row, k);
    return level * nf4_scale(weight[start + nf4_scale_word(params.k, block)], block);
  }
  let at = row * params.k + k;
  if (HALF) {
    let pair = open_half(weight[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  }
  return bitcast<f32>(weight[at]);
}

// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
    emulated: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias on float16 matrix units: y = x W^T + b, products of float16, sums in float32. Not exact.
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup of four times 32 lanes makes a tile of 64 x 64, each subgroup a quarter of it in four matrices of 16 x 16.
// Both operands pass through workgroup memory 32 inputs at a time, rounded to float16; rows are padded so that matrices
// below each other lie in other banks. What lies beyond the edges is zero, and is not stored.
//
// use lib/matrix.wgsl
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

const TILE = 64u;
const QUARTER = 32u;
const STEP = 32u;
const SIDE = 16u;
const STRIDE = STEP + 8u;
const LANES = 128u;
var<workgroup> xs: array<Half, TILE * STRIDE>;
var<workgroup> ws: array<Half, TILE * STRIDE>;
var<workgroup> results: array<f32, 4u * SIDE * SIDE>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32, @builtin(subgroup_id) subgroup: u32,
) {
  let row_tiles = (params.vectors + TILE - 1u) / TILE;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + TILE - 1u) / TILE)) { return; }
  let row = TILE * (tile % row_tiles);
  let column = TILE * (tile / row_tiles);
  let quarter = quarter_of(subgroup, lane);
  let down = QUARTER * (quarter / 2u);
  let across = QUARTER * (quarter % 2u);
  var sums: Sums;
  for (var k = 0u; k < params.k; k += STEP) {
    for (var i = lane; i < TILE * STEP; i += LANES) {
      let line = i / STEP;
      let input = k + i % STEP;
      xs[line * STRIDE + i % STEP] = to_half(input_at(row + line, input));
      ws[line * STRIDE + i % STEP] = to_half(weight_of(column + line, input));
    }
    workgroupBarrier();
    for (var j = 0u; j < STEP; j += SIDE) { multiply_add(&sums, down * STRIDE + j, across * STRIDE + j, lane); }
    workgroupBarrier();
  }
  for (var part = 0u; part < 4u; part++) {
    put(&sums, part, SIDE * SIDE * quarter, lane);
    workgroupBarrier();
    let first = row + down + SIDE * (part / 2u);
    let left = column + across + SIDE * (part % 2u);
    for (var i = lane % 32u; i < SIDE * SIDE; i += 32u) {
      store(first + i / SIDE, left + i % SIDE, results[SIDE * SIDE * quarter + i]);
    }
    workgroupBarrier();
  }
}

// What matrix.units.wgsl does, without such units: each of 32 lanes makes 8 of the 256 sums of a matrix. It shows that the
// kernel around it is right on adapters that have none; it is slow.

alias Half = f32;
alias Sums = array<f32, 32>;

fn to_half(value: f32) -> Half { return quantizeToF16(value); }

fn quarter_of(subgroup: u32, lane: u32) -> u32 { return lane / 32u; }

fn multiply_add(sums: ptr<function, Sums>, x_at: u32, w_at: u32, lane: u32) {
  for (var i = 0u; i < 32u; i++) {
    let part = i / 8u;
    let element = lane % 32u + 32u * (i % 8u);
    let x_row = x_at + (SIDE * (part / 2u) + element / SIDE) * STRIDE;
    let w_row = w_at + (SIDE * (part % 2u) + element % SIDE) * STRIDE;
    for (var k = 0u; k < SIDE; k++) { (*sums)[i] = fma(xs[x_row + k], ws[w_row + k], (*sums)[i]); }
  }
}

fn put(sums: ptr<function, Sums>, part: u32, at: u32, lane: u32) {
  for (var i = 0u; i < 8u; i++) { results[at + lane % 32u + 32u * i] = (*sums)[8u * part + i]; }
}

// What the matrix products of tiers A and B share: parameters and bindings, how operands are read and outputs stored. Of the
// weight and the bias n outputs from \`first\` on are made. Operands beyond the edges are zero; what lies there is not stored.
//
// use lib/weight-at.wgsl
// use lib/planes.wgsl

override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn input_at(row: u32, k: u32) -> f32 {
  if (row >= params.vectors || k >= params.k) { return 0.0; }
  return x[row * params.k + k];
}

fn weight_of(output: u32, k: u32) -> f32 {
  if (output >= params.n || k >= params.k) { return 0.0; }
  return weight_at(params.first + output, k);
}

fn store(row: u32, n: u32, value: f32) {
  if (row >= params.vectors || n >= params.n) { return; }
  var b = 0.0;
  if (params.has_bias != 0u) { b = bias[params.first + n]; }
  y[output_at(row, n)] = value + b;
}

// A weight of a matrix in a buffer: float32, float16 two to a word (HALF), or NF4, with float16 scales if HALF. The kernel
// brings weight, params.k, HALF, NF4.
//
// use lib/nf4.wgsl

fn weight_at(row: u32, k: u32) -> f32 {
  if (NF4) {
    let start = row * nf4_words(params.k);
    let level = NF4_LEVELS[(weight[start + nf4_word(k)] >> (4u * (k % 8u))) & 15u];
    let block = nf4_block(params.k, row, k);
    return level * nf4_scale(weight[start + nf4_scale_word(params.k, block)], block);
  }
  let at = row * params.k + k;
  if (HALF) {
    let pair = open_half(weight[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  }
  return bitcast<f32>(weight[at]);
}

// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/matmul-panel-half.wgsl */
export const matmulPanelHalf: Shader<"x" | "weight" | "bias" | "y", { BLOCKS: number; SETS: number; SINGLE: boolean; SG: number; RAGGED: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-panel-half",
  bindings: [{"name":"x","kind":"texture"},{"name":"weight","kind":"texture"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 128 rows times 4 SETS SG columns (lib/panel.wgsl).
//
// use lib/matmul-panel.wgsl
// use lib/rows-half.wgsl

fn weights_in(place: vec2u, k: u32, lane: u32) -> Weights {
  let odd = lane % 2u == 1u;
  let near = eight(place, k + neighbours_of(lane & 2u, 0u), odd);
  let far = eight(place, k + neighbours_of(lane & 2u, 2u), odd);
  return Weights(near.near, near.far, far.near, far.far);
}

// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// \`weights_in\`, the weights of four neighbouring outputs for 16 inputs in a lane's order.
//
// The rows lie in a texture, each beginning with a texel.
//
// use lib/texels.wgsl
// use lib/sampled.wgsl
// use lib/panel.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

@group(0) @binding(0) var x: Texels;

// The first of its rows; which four outputs its first set is, and where the weights of all sets lie.
struct Lane { lane: u32, row: u32, own: u32, places: array<vec2u, 4>, }

fn weights_at(at: Lane, which: u32, k: u32) -> Weights { return weights_in(at.places[which], k, at.lane); }

fn start_of(at: Lane, i: u32) -> u32 { return (at.row + i) * ((params.k + 3u) / 4u); }

// Beyond the last input rows are zero.
fn row_at(start: u32, k: u32, lane: u32) -> vec4f {
  let at = k + neighbours_of(lane, 0u);
  let values = texel(x, start + within(at) / 4u);
  if (!RAGGED) { return values; }
  return select(vec4f(), values, at < params.k);
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let first = 4u * (at.own + which * SG);
  if (first < params.n) { store(at.row + i, first, value + bias_of(first)); }
}

// Columns are counted from a multiple of 4 SG of the whole weight on, so that a column has its lane in any part of it.
@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + PANEL_ROWS - 1u) / PANEL_ROWS;
  let before = params.first / 4u % SG;
  let columns = 4u * before + params.n;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((columns + panel_columns() - 1u) / panel_columns())) { return; }
  let row = PANEL_ROWS * (tile % row_tiles);
  let rows = min(PANEL_ROWS, params.vectors - row);
  let own = tile / row_tiles * SETS * SG + lane - before; // those before the first are beyond the last
  let places = array<vec2u, 4>(place_in(own), place_in(own + SG), place_in(own + 2u * SG), place_in(own + 3u * SG));
  make_rows(Lane(lane, row, own, places), rows, params.k);
}

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by SwiftShader, whose storage textures take nearly twice as long.

alias Texels = texture_2d<u32>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at, 0); }

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

// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from \`first\` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// Weights in float16, eight neighbouring inputs of an output to a texel, two to a word. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl
// use lib/half.wgsl

const TEXEL_INPUTS = 8u;

fn inputs(at: vec2u, output: u32) -> vec4u { return load(weight, vec2u(at.x, at.y + output)); }

// The weights of four outputs for eight inputs, one input a column.
struct Eight { near: mat4x4f, far: mat4x4f, }

fn in_turn(words: vec4u, swapped: bool) -> vec4u { return select(words, words.zwxy, swapped); }

// Of two words of each output: four inputs.
fn open_words(a: vec2u, b: vec2u, c: vec2u, d: vec2u) -> mat4x4f {
  return transpose(mat4x4f(
    vec4f(open_half(a.x), open_half(a.y)), vec4f(open_half(b.x), open_half(b.y)),
    vec4f(open_half(c.x), open_half(c.y)), vec4f(open_half(d.x), open_half(d.y)),
  ));
}

// \`swapped\`: the last four inputs are the near ones.
fn eight(place: vec2u, k: u32, swapped: bool) -> Eight {
  let at = texel_at(place, k);
  let a = in_turn(inputs(at, 0u), swapped);
  let b = in_turn(inputs(at, 1u), swapped);
  let c = in_turn(inputs(at, 2u), swapped);
  let d = in_turn(inputs(at, 3u), swapped);
  return Eight(open_words(a.xy, b.xy, c.xy, d.xy), open_words(a.zw, b.zw, c.zw, d.zw));
}

// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// A format (rows-float.wgsl, rows-half.wgsl) brings TEXEL_INPUTS: how many a texel holds.

// The first texel of a lane's first output; its other three outputs lie below it.
fn place_of(texel: u32) -> vec2u {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  let row_texels = (params.k + TEXEL_INPUTS - 1u) / TEXEL_INPUTS;
  return vec2u(first / height * row_texels, first % height);
}

// The texel with input k of the first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / TEXEL_INPUTS, place.y); }

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}
`,
  },
};

/** shaders/matmul-panel-nf4.wgsl */
export const matmulPanelNf4: Shader<"x" | "weight" | "bias" | "y", { HALF: boolean; BLOCKS: number; SETS: number; SINGLE: boolean; SG: number; RAGGED: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-panel-nf4",
  bindings: [{"name":"x","kind":"texture"},{"name":"weight","kind":"texture"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in NF4 (lib/nf4.wgsl)
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 128 rows times 4 SETS SG columns (lib/panel.wgsl).
//
// use lib/matmul-panel.wgsl
// use lib/nf4-texels.wgsl

override HALF: bool;

// From memory: a shuffle is a chain of instructions here.
var<private> table: array<f32, 16> = NF4_LEVELS;

fn level(code: u32) -> f32 { return table[code]; }

fn weights_in(place: vec2u, k: u32, lane: u32) -> Weights {
  let scale = scales(place, k);
  var w = Weights();
  for (var left = 4u; left > 0u; left--) {
    let at = k + neighbours_of(lane, left - 1u);
    let codes = code_texel(place, at) >> vec4u((4u * at) & 16u);
    w = Weights(four(codes, place, at, scale), w.p, w.q, w.r);
  }
  return w;
}

// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// \`weights_in\`, the weights of four neighbouring outputs for 16 inputs in a lane's order.
//
// The rows lie in a texture, each beginning with a texel.
//
// use lib/texels.wgsl
// use lib/sampled.wgsl
// use lib/panel.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

@group(0) @binding(0) var x: Texels;

// The first of its rows; which four outputs its first set is, and where the weights of all sets lie.
struct Lane { lane: u32, row: u32, own: u32, places: array<vec2u, 4>, }

fn weights_at(at: Lane, which: u32, k: u32) -> Weights { return weights_in(at.places[which], k, at.lane); }

fn start_of(at: Lane, i: u32) -> u32 { return (at.row + i) * ((params.k + 3u) / 4u); }

// Beyond the last input rows are zero.
fn row_at(start: u32, k: u32, lane: u32) -> vec4f {
  let at = k + neighbours_of(lane, 0u);
  let values = texel(x, start + within(at) / 4u);
  if (!RAGGED) { return values; }
  return select(vec4f(), values, at < params.k);
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let first = 4u * (at.own + which * SG);
  if (first < params.n) { store(at.row + i, first, value + bias_of(first)); }
}

// Columns are counted from a multiple of 4 SG of the whole weight on, so that a column has its lane in any part of it.
@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + PANEL_ROWS - 1u) / PANEL_ROWS;
  let before = params.first / 4u % SG;
  let columns = 4u * before + params.n;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((columns + panel_columns() - 1u) / panel_columns())) { return; }
  let row = PANEL_ROWS * (tile % row_tiles);
  let rows = min(PANEL_ROWS, params.vectors - row);
  let own = tile / row_tiles * SETS * SG + lane - before; // those before the first are beyond the last
  let places = array<vec2u, 4>(place_in(own), place_in(own + SG), place_in(own + 2u * SG), place_in(own + 3u * SG));
  make_rows(Lane(lane, row, own, places), rows, params.k);
}

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by SwiftShader, whose storage textures take nearly twice as long.

alias Texels = texture_2d<u32>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at, 0); }

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

// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from \`first\` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// NF4 weights (nf4.wgsl) in a texture (weight-texture.wgsl): a texel holds a word of each of four neighbouring outputs.
// RAGGED: rows begin within blocks. A block of scales holds for all inputs that a kernel takes at a time, and these begin
// with a word of codes. The kernel brings \`level\`.
//
// use lib/nf4.wgsl

fn place_of(texel: u32) -> vec2u { return vec2u(texel, 0u); }

// The codes of eight inputs from k on, the first in the low bits.
fn code_texel(place: vec2u, k: u32) -> vec4u {
  return load(weight, vec2u(place.x, nf4_word(within(k))));
}

fn scale_texel(place: vec2u, output: u32, k: u32) -> vec4f {
  let block = nf4_block(params.k, 4u * place.x + output, within(k));
  let words = load(weight, vec2u(place.x, nf4_scale_word(params.k, block)));
  return vec4f(nf4_scale(words.x, block), nf4_scale(words.y, block), nf4_scale(words.z, block), nf4_scale(words.w, block));
}

// Scales of four neighbouring outputs for input k: one texel, unless the outputs' rows begin within blocks.
fn scales(place: vec2u, k: u32) -> vec4f {
  let first = scale_texel(place, 0u, k);
  if (!RAGGED) { return first; }
  return vec4f(first.x, scale_texel(place, 1u, k).y, scale_texel(place, 2u, k).z, scale_texel(place, 3u, k).w);
}

// The weights of four neighbouring outputs for input k by the lowest four bits of their codes; \`block\` are the scales
// where rows begin with a block.
fn columns(codes: vec4u, place: vec2u, k: u32, block: vec4f) -> vec4f {
  let code = codes & vec4u(15u);
  let levels = vec4f(level(code.x), level(code.y), level(code.z), level(code.w));
  if (!RAGGED) { return levels * block; }
  return levels * scales(place, k);
}

// Four inputs from k on, one a column, whose codes are the lowest bits up.
fn four(codes: vec4u, place: vec2u, k: u32, block: vec4f) -> mat4x4f {
  return mat4x4f(
    columns(codes, place, k, block), columns(codes >> vec4u(4u), place, k + 1u, block),
    columns(codes >> vec4u(8u), place, k + 2u, block), columns(codes >> vec4u(12u), place, k + 3u, block),
  );
}

// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}
`,
  },
};

/** shaders/matmul-panel.wgsl */
export const matmulPanel: Shader<"x" | "weight" | "bias" | "y", { BLOCKS: number; SETS: number; SINGLE: boolean; SG: number; RAGGED: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-panel",
  bindings: [{"name":"x","kind":"texture"},{"name":"weight","kind":"texture"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias for software adapters of 4 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 128 rows times 4 SETS SG columns (lib/panel.wgsl).
//
// use lib/matmul-panel.wgsl
// use lib/rows-float.wgsl

fn weights_in(place: vec2u, k: u32, lane: u32) -> Weights {
  return Weights(
    four(place, k + neighbours_of(lane, 0u)), four(place, k + neighbours_of(lane, 1u)),
    four(place, k + neighbours_of(lane, 2u)), four(place, k + neighbours_of(lane, 3u)),
  );
}

// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// \`weights_in\`, the weights of four neighbouring outputs for 16 inputs in a lane's order.
//
// The rows lie in a texture, each beginning with a texel.
//
// use lib/texels.wgsl
// use lib/sampled.wgsl
// use lib/panel.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

@group(0) @binding(0) var x: Texels;

// The first of its rows; which four outputs its first set is, and where the weights of all sets lie.
struct Lane { lane: u32, row: u32, own: u32, places: array<vec2u, 4>, }

fn weights_at(at: Lane, which: u32, k: u32) -> Weights { return weights_in(at.places[which], k, at.lane); }

fn start_of(at: Lane, i: u32) -> u32 { return (at.row + i) * ((params.k + 3u) / 4u); }

// Beyond the last input rows are zero.
fn row_at(start: u32, k: u32, lane: u32) -> vec4f {
  let at = k + neighbours_of(lane, 0u);
  let values = texel(x, start + within(at) / 4u);
  if (!RAGGED) { return values; }
  return select(vec4f(), values, at < params.k);
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let first = 4u * (at.own + which * SG);
  if (first < params.n) { store(at.row + i, first, value + bias_of(first)); }
}

// Columns are counted from a multiple of 4 SG of the whole weight on, so that a column has its lane in any part of it.
@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + PANEL_ROWS - 1u) / PANEL_ROWS;
  let before = params.first / 4u % SG;
  let columns = 4u * before + params.n;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((columns + panel_columns() - 1u) / panel_columns())) { return; }
  let row = PANEL_ROWS * (tile % row_tiles);
  let rows = min(PANEL_ROWS, params.vectors - row);
  let own = tile / row_tiles * SETS * SG + lane - before; // those before the first are beyond the last
  let places = array<vec2u, 4>(place_in(own), place_in(own + SG), place_in(own + 2u * SG), place_in(own + 3u * SG));
  make_rows(Lane(lane, row, own, places), rows, params.k);
}

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by SwiftShader, whose storage textures take nearly twice as long.

alias Texels = texture_2d<u32>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at, 0); }

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

// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from \`first\` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// Weights in float32, four neighbouring inputs of an output to a texel. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl

const TEXEL_INPUTS = 4u;

fn inputs(at: vec2u, output: u32) -> vec4f { return bitcast<vec4f>(load(weight, vec2u(at.x, at.y + output))); }

// The weights of four outputs for four inputs, one input a column.
fn four(place: vec2u, k: u32) -> mat4x4f {
  let at = texel_at(place, k);
  return transpose(mat4x4f(inputs(at, 0u), inputs(at, 1u), inputs(at, 2u), inputs(at, 3u)));
}

// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// A format (rows-float.wgsl, rows-half.wgsl) brings TEXEL_INPUTS: how many a texel holds.

// The first texel of a lane's first output; its other three outputs lie below it.
fn place_of(texel: u32) -> vec2u {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  let row_texels = (params.k + TEXEL_INPUTS - 1u) / TEXEL_INPUTS;
  return vec2u(first / height * row_texels, first % height);
}

// The texel with input k of the first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / TEXEL_INPUTS, place.y); }
`,
  },
};

/** shaders/matmul-strips-half.wgsl */
export const matmulStripsHalf: Shader<"x" | "weight" | "bias" | "y", { SG: number; RAGGED: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-strips-half",
  bindings: [{"name":"x","kind":"texture-read"},{"name":"weight","kind":"texture-read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float16
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 12 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/rows-half.wgsl

fn weights(place: vec2u, k: u32) -> Weights {
  let a = eight(place, k, false);
  let b = eight(place, k + 8u, false);
  return weights_of(a.near, a.far, b.near, b.far);
}

fn prepare(lane: u32) {}

// The frame of a matrix product in strips (strip.wgsl): which rows and columns a workgroup makes, and how they are stored.
// The kernel brings \`prepare\`, which readies a lane, \`place_of\`, where the weights of four neighbouring outputs lie, and
// \`weights\`, which reads a block of inputs of them.
//
// The rows lie in a texture, each beginning with a texel.
//
// use lib/strip-rows.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

@group(0) @binding(0) var x: Texels;

// Where a lane's texels of a strip start.
fn starts_of(row: u32, lane: u32) -> vec2u {
  let rows = min(row + vec2u(pair_row(lane), STRIP - 1u), vec2u(params.vectors - 1u));
  return rows * ((params.k + 3u) / 4u);
}

fn store_set(row: u32, first: u32, bias: vec4f, sums: mat4x3f) {
  let rows = transpose(sums);
  store(row + 0u, first, rows[0] + bias);
  store(row + 1u, first, rows[1] + bias);
  store(row + 2u, first, rows[2] + bias);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + 2u * SG - 1u) / (2u * SG))) { return; }
  let row = STRIPS * STRIP * (tile % row_tiles);
  let strips = strips_from(row, params.vectors);
  let own_a = tile / row_tiles * 2u * SG + lane;
  let own_b = own_a + SG;
  let place_a = place_in(own_a);
  let place_b = place_in(own_b);
  prepare(lane);
  var totals = array<Strip, STRIPS>();
  for (var k = 0u; k < params.k; k += K_BLOCK) {
    let a = weights(place_a, k);
    let b = weights(place_b, k);
    for (var i = 0u; i < strips; i++) {
      let starts = starts_of(row + STRIP * i, lane);
      add_strip(&totals[i], strip_block(rows_at(x, starts, k, params.k, lane), a, b));
    }
  }
  let bias_a = bias_of(min(4u * own_a, params.n - 1u));
  let bias_b = bias_of(min(4u * own_b, params.n - 1u));
  for (var i = 0u; i < strips; i++) {
    let s = totals[i];
    if (own_a < texels) { store_set(row + STRIP * i, 4u * own_a, bias_a, s.a); }
    if (own_b < texels) { store_set(row + STRIP * i, 4u * own_b, bias_b, s.b); }
  }
}

// A strip's rows (strip.wgsl) out of a texture. The frame brings RAGGED and \`within\`: matmul-frame.wgsl, scores-frame.wgsl.
//
// use lib/strip.wgsl
// use lib/texels.wgsl
// use lib/stored.wgsl

// A lane's texels of the block of inputs from k on, where the rows start with these texels. Beyond the \`end\` they are zero.
fn rows_at(words: Texels, starts: vec2u, k: u32, end: u32, lane: u32) -> Rows {
  let at = k + 4u * four_of(lane);
  let own = within(at) / 4u;
  let rows = Rows(texel(words, starts.x + own), texel(words, starts.y + own));
  if (!RAGGED) { return rows; }
  let there = at < end;
  return Rows(select(vec4f(), rows.pair, there), select(vec4f(), rows.last, there));
}

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

// The row of a strip that a lane's \`pair\` belongs to, and which four inputs.
fn pair_row(lane: u32) -> u32 { return lane / 4u; }
fn four_of(lane: u32) -> u32 { return lane % 4u; }

// Strips of a tile whose first row is \`row\`, as far as there are so many rows.
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

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by lavapipe: no lane asks which level it wants, as in sampled textures.

alias Texels = texture_storage_2d<rgba32uint, read>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at); }

// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from \`first\` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// Weights in float16, eight neighbouring inputs of an output to a texel, two to a word. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl
// use lib/half.wgsl

const TEXEL_INPUTS = 8u;

fn inputs(at: vec2u, output: u32) -> vec4u { return load(weight, vec2u(at.x, at.y + output)); }

// The weights of four outputs for eight inputs, one input a column.
struct Eight { near: mat4x4f, far: mat4x4f, }

fn in_turn(words: vec4u, swapped: bool) -> vec4u { return select(words, words.zwxy, swapped); }

// Of two words of each output: four inputs.
fn open_words(a: vec2u, b: vec2u, c: vec2u, d: vec2u) -> mat4x4f {
  return transpose(mat4x4f(
    vec4f(open_half(a.x), open_half(a.y)), vec4f(open_half(b.x), open_half(b.y)),
    vec4f(open_half(c.x), open_half(c.y)), vec4f(open_half(d.x), open_half(d.y)),
  ));
}

// \`swapped\`: the last four inputs are the near ones.
fn eight(place: vec2u, k: u32, swapped: bool) -> Eight {
  let at = texel_at(place, k);
  let a = in_turn(inputs(at, 0u), swapped);
  let b = in_turn(inputs(at, 1u), swapped);
  let c = in_turn(inputs(at, 2u), swapped);
  let d = in_turn(inputs(at, 3u), swapped);
  return Eight(open_words(a.xy, b.xy, c.xy, d.xy), open_words(a.zw, b.zw, c.zw, d.zw));
}

// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// A format (rows-float.wgsl, rows-half.wgsl) brings TEXEL_INPUTS: how many a texel holds.

// The first texel of a lane's first output; its other three outputs lie below it.
fn place_of(texel: u32) -> vec2u {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  let row_texels = (params.k + TEXEL_INPUTS - 1u) / TEXEL_INPUTS;
  return vec2u(first / height * row_texels, first % height);
}

// The texel with input k of the first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / TEXEL_INPUTS, place.y); }

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}
`,
  },
};

/** shaders/matmul-strips-nf4.wgsl */
export const matmulStripsNf4: Shader<"x" | "weight" | "bias" | "y", { HALF: boolean; SG: number; RAGGED: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-strips-nf4",
  bindings: [{"name":"x","kind":"texture-read"},{"name":"weight","kind":"texture-read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in NF4 (lib/nf4.wgsl)
//
//   x [vectors, k]   W [n, k] as a texture (weight-texture.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 12 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/nf4-texels.wgsl

override HALF: bool;

// The levels, two a lane: a shuffle of 8 lanes is one instruction.
var<private> held: vec2f;

fn prepare(lane: u32) {
  held = vec2f(NF4_LEVELS[lane & 7u], NF4_LEVELS[8u + (lane & 7u)]);
}

fn level(code: u32) -> f32 {
  let lane = code & 7u;
  return select(subgroupShuffle(held.x, lane), subgroupShuffle(held.y, lane), code > 7u);
}

fn weights(place: vec2u, k: u32) -> Weights {
  let scale = scales(place, k);
  let near = code_texel(place, k);
  let far = code_texel(place, k + 8u);
  return weights_of(
    four(near, place, k, scale), four(near >> vec4u(16u), place, k + 4u, scale),
    four(far, place, k + 8u, scale), four(far >> vec4u(16u), place, k + 12u, scale),
  );
}

// The frame of a matrix product in strips (strip.wgsl): which rows and columns a workgroup makes, and how they are stored.
// The kernel brings \`prepare\`, which readies a lane, \`place_of\`, where the weights of four neighbouring outputs lie, and
// \`weights\`, which reads a block of inputs of them.
//
// The rows lie in a texture, each beginning with a texel.
//
// use lib/strip-rows.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

@group(0) @binding(0) var x: Texels;

// Where a lane's texels of a strip start.
fn starts_of(row: u32, lane: u32) -> vec2u {
  let rows = min(row + vec2u(pair_row(lane), STRIP - 1u), vec2u(params.vectors - 1u));
  return rows * ((params.k + 3u) / 4u);
}

fn store_set(row: u32, first: u32, bias: vec4f, sums: mat4x3f) {
  let rows = transpose(sums);
  store(row + 0u, first, rows[0] + bias);
  store(row + 1u, first, rows[1] + bias);
  store(row + 2u, first, rows[2] + bias);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + 2u * SG - 1u) / (2u * SG))) { return; }
  let row = STRIPS * STRIP * (tile % row_tiles);
  let strips = strips_from(row, params.vectors);
  let own_a = tile / row_tiles * 2u * SG + lane;
  let own_b = own_a + SG;
  let place_a = place_in(own_a);
  let place_b = place_in(own_b);
  prepare(lane);
  var totals = array<Strip, STRIPS>();
  for (var k = 0u; k < params.k; k += K_BLOCK) {
    let a = weights(place_a, k);
    let b = weights(place_b, k);
    for (var i = 0u; i < strips; i++) {
      let starts = starts_of(row + STRIP * i, lane);
      add_strip(&totals[i], strip_block(rows_at(x, starts, k, params.k, lane), a, b));
    }
  }
  let bias_a = bias_of(min(4u * own_a, params.n - 1u));
  let bias_b = bias_of(min(4u * own_b, params.n - 1u));
  for (var i = 0u; i < strips; i++) {
    let s = totals[i];
    if (own_a < texels) { store_set(row + STRIP * i, 4u * own_a, bias_a, s.a); }
    if (own_b < texels) { store_set(row + STRIP * i, 4u * own_b, bias_b, s.b); }
  }
}

// A strip's rows (strip.wgsl) out of a texture. The frame brings RAGGED and \`within\`: matmul-frame.wgsl, scores-frame.wgsl.
//
// use lib/strip.wgsl
// use lib/texels.wgsl
// use lib/stored.wgsl

// A lane's texels of the block of inputs from k on, where the rows start with these texels. Beyond the \`end\` they are zero.
fn rows_at(words: Texels, starts: vec2u, k: u32, end: u32, lane: u32) -> Rows {
  let at = k + 4u * four_of(lane);
  let own = within(at) / 4u;
  let rows = Rows(texel(words, starts.x + own), texel(words, starts.y + own));
  if (!RAGGED) { return rows; }
  let there = at < end;
  return Rows(select(vec4f(), rows.pair, there), select(vec4f(), rows.last, there));
}

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

// The row of a strip that a lane's \`pair\` belongs to, and which four inputs.
fn pair_row(lane: u32) -> u32 { return lane / 4u; }
fn four_of(lane: u32) -> u32 { return lane % 4u; }

// Strips of a tile whose first row is \`row\`, as far as there are so many rows.
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

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by lavapipe: no lane asks which level it wants, as in sampled textures.

alias Texels = texture_storage_2d<rgba32uint, read>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at); }

// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from \`first\` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// NF4 weights (nf4.wgsl) in a texture (weight-texture.wgsl): a texel holds a word of each of four neighbouring outputs.
// RAGGED: rows begin within blocks. A block of scales holds for all inputs that a kernel takes at a time, and these begin
// with a word of codes. The kernel brings \`level\`.
//
// use lib/nf4.wgsl

fn place_of(texel: u32) -> vec2u { return vec2u(texel, 0u); }

// The codes of eight inputs from k on, the first in the low bits.
fn code_texel(place: vec2u, k: u32) -> vec4u {
  return load(weight, vec2u(place.x, nf4_word(within(k))));
}

fn scale_texel(place: vec2u, output: u32, k: u32) -> vec4f {
  let block = nf4_block(params.k, 4u * place.x + output, within(k));
  let words = load(weight, vec2u(place.x, nf4_scale_word(params.k, block)));
  return vec4f(nf4_scale(words.x, block), nf4_scale(words.y, block), nf4_scale(words.z, block), nf4_scale(words.w, block));
}

// Scales of four neighbouring outputs for input k: one texel, unless the outputs' rows begin within blocks.
fn scales(place: vec2u, k: u32) -> vec4f {
  let first = scale_texel(place, 0u, k);
  if (!RAGGED) { return first; }
  return vec4f(first.x, scale_texel(place, 1u, k).y, scale_texel(place, 2u, k).z, scale_texel(place, 3u, k).w);
}

// The weights of four neighbouring outputs for input k by the lowest four bits of their codes; \`block\` are the scales
// where rows begin with a block.
fn columns(codes: vec4u, place: vec2u, k: u32, block: vec4f) -> vec4f {
  let code = codes & vec4u(15u);
  let levels = vec4f(level(code.x), level(code.y), level(code.z), level(code.w));
  if (!RAGGED) { return levels * block; }
  return levels * scales(place, k);
}

// Four inputs from k on, one a column, whose codes are the lowest bits up.
fn four(codes: vec4u, place: vec2u, k: u32, block: vec4f) -> mat4x4f {
  return mat4x4f(
    columns(codes, place, k, block), columns(codes >> vec4u(4u), place, k + 1u, block),
    columns(codes >> vec4u(8u), place, k + 2u, block), columns(codes >> vec4u(12u), place, k + 3u, block),
  );
}

// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}
`,
  },
};

/** shaders/matmul-strips.wgsl */
export const matmulStrips: Shader<"x" | "weight" | "bias" | "y", { SG: number; RAGGED: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul-strips",
  bindings: [{"name":"x","kind":"texture-read"},{"name":"weight","kind":"texture-read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `enable subgroups;
requires immediate_address_space;
// Matrix product with bias for software adapters of 8 lanes: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 12 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/rows-float.wgsl

fn weights(place: vec2u, k: u32) -> Weights {
  return weights_of(four(place, k), four(place, k + 4u), four(place, k + 8u), four(place, k + 12u));
}

fn prepare(lane: u32) {}

// The frame of a matrix product in strips (strip.wgsl): which rows and columns a workgroup makes, and how they are stored.
// The kernel brings \`prepare\`, which readies a lane, \`place_of\`, where the weights of four neighbouring outputs lie, and
// \`weights\`, which reads a block of inputs of them.
//
// The rows lie in a texture, each beginning with a texel.
//
// use lib/strip-rows.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

@group(0) @binding(0) var x: Texels;

// Where a lane's texels of a strip start.
fn starts_of(row: u32, lane: u32) -> vec2u {
  let rows = min(row + vec2u(pair_row(lane), STRIP - 1u), vec2u(params.vectors - 1u));
  return rows * ((params.k + 3u) / 4u);
}

fn store_set(row: u32, first: u32, bias: vec4f, sums: mat4x3f) {
  let rows = transpose(sums);
  store(row + 0u, first, rows[0] + bias);
  store(row + 1u, first, rows[1] + bias);
  store(row + 2u, first, rows[2] + bias);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + 2u * SG - 1u) / (2u * SG))) { return; }
  let row = STRIPS * STRIP * (tile % row_tiles);
  let strips = strips_from(row, params.vectors);
  let own_a = tile / row_tiles * 2u * SG + lane;
  let own_b = own_a + SG;
  let place_a = place_in(own_a);
  let place_b = place_in(own_b);
  prepare(lane);
  var totals = array<Strip, STRIPS>();
  for (var k = 0u; k < params.k; k += K_BLOCK) {
    let a = weights(place_a, k);
    let b = weights(place_b, k);
    for (var i = 0u; i < strips; i++) {
      let starts = starts_of(row + STRIP * i, lane);
      add_strip(&totals[i], strip_block(rows_at(x, starts, k, params.k, lane), a, b));
    }
  }
  let bias_a = bias_of(min(4u * own_a, params.n - 1u));
  let bias_b = bias_of(min(4u * own_b, params.n - 1u));
  for (var i = 0u; i < strips; i++) {
    let s = totals[i];
    if (own_a < texels) { store_set(row + STRIP * i, 4u * own_a, bias_a, s.a); }
    if (own_b < texels) { store_set(row + STRIP * i, 4u * own_b, bias_b, s.b); }
  }
}

// A strip's rows (strip.wgsl) out of a texture. The frame brings RAGGED and \`within\`: matmul-frame.wgsl, scores-frame.wgsl.
//
// use lib/strip.wgsl
// use lib/texels.wgsl
// use lib/stored.wgsl

// A lane's texels of the block of inputs from k on, where the rows start with these texels. Beyond the \`end\` they are zero.
fn rows_at(words: Texels, starts: vec2u, k: u32, end: u32, lane: u32) -> Rows {
  let at = k + 4u * four_of(lane);
  let own = within(at) / 4u;
  let rows = Rows(texel(words, starts.x + own), texel(words, starts.y + own));
  if (!RAGGED) { return rows; }
  let there = at < end;
  return Rows(select(vec4f(), rows.pair, there), select(vec4f(), rows.last, there));
}

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

// The row of a strip that a lane's \`pair\` belongs to, and which four inputs.
fn pair_row(lane: u32) -> u32 { return lane / 4u; }
fn four_of(lane: u32) -> u32 { return lane % 4u; }

// Strips of a tile whose first row is \`row\`, as far as there are so many rows.
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

// Words of a tensor in a texture (\`Gpu.texels\`), four to a texel, one row of texels after the other. A fetch brings four values
// to each lane; of a buffer's loads each is a search for its lanes' addresses. The kernel says how textures are read:
// sampled.wgsl, stored.wgsl.

const TEXELS = 8192u;

fn texel(words: Texels, i: u32) -> vec4f { return bitcast<vec4f>(load(words, vec2u(i % TEXELS, i / TEXELS))); }

// Textures as they are read fastest by lavapipe: no lane asks which level it wants, as in sampled textures.

alias Texels = texture_storage_2d<rgba32uint, read>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at); }

// What the matrix products of tier D share (matmul-panel.wgsl, matmul-strips.wgsl), which bring x: parameters and bindings,
// where weights lie, how outputs are stored. RAGGED: the last block of inputs is cut off. Of the weight and the bias n outputs
// from \`first\` on are made, which is a multiple of 4 as the plane is.
//
// use lib/planes.wgsl

override SG: u32;
override RAGGED: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(1) var weight: Texels;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An input that there is. Where blocks are all whole nothing is compared: that costs a third of the time on lavapipe.
fn within(k: u32) -> u32 {
  if (!RAGGED) { return k; }
  return min(k, params.k - 1u);
}

// Where the weights of four neighbouring outputs lie, the last for those beyond it.
fn place_in(texel: u32) -> vec2u { return place_of(params.first / 4u + min(texel, (params.n - 1u) / 4u)); }

// The bias of four neighbouring outputs, as far as there are so many.
fn bias_of(output: u32) -> vec4f {
  if (params.has_bias == 0u) { return vec4f(); }
  let at = params.first + min(vec4u(output) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Four neighbouring outputs of a row, as far as there are so many rows and outputs.
fn store(row: u32, first: u32, value: vec4f) {
  if (row >= params.vectors) { return; }
  let at = output_at(row, first);
  y[at] = value.x;
  if (first + 1u < params.n) { y[at + 1u] = value.y; }
  if (first + 2u < params.n) { y[at + 2u] = value.z; }
  if (first + 3u < params.n) { y[at + 3u] = value.w; }
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// Weights in float32, four neighbouring inputs of an output to a texel. Beyond the last input they meet a zero.
//
// use lib/weight-rows.wgsl

const TEXEL_INPUTS = 4u;

fn inputs(at: vec2u, output: u32) -> vec4f { return bitcast<vec4f>(load(weight, vec2u(at.x, at.y + output))); }

// The weights of four outputs for four inputs, one input a column.
fn four(place: vec2u, k: u32) -> mat4x4f {
  let at = texel_at(place, k);
  return transpose(mat4x4f(inputs(at, 0u), inputs(at, 1u), inputs(at, 2u), inputs(at, 3u)));
}

// Where the weights of an output lie in a texture: a row of the matrix is a row of texels, with the bytes of the checkpoint.
// A matrix of more rows than a texture is high goes on to the right.
//
// A format (rows-float.wgsl, rows-half.wgsl) brings TEXEL_INPUTS: how many a texel holds.

// The first texel of a lane's first output; its other three outputs lie below it.
fn place_of(texel: u32) -> vec2u {
  let height = textureDimensions(weight).y;
  let first = 4u * texel;
  let row_texels = (params.k + TEXEL_INPUTS - 1u) / TEXEL_INPUTS;
  return vec2u(first / height * row_texels, first % height);
}

// The texel with input k of the first output.
fn texel_at(place: vec2u, k: u32) -> vec2u { return vec2u(place.x + within(k) / TEXEL_INPUTS, place.y); }
`,
  },
};

/** shaders/matmul.wgsl */
export const matmul: Shader<"x" | "weight" | "bias" | "y", { TALL: number; WIDE: number; HALF: boolean; NF4: boolean; HALF_FLUSHES?: boolean }, "vectors" | "n" | "k" | "has_bias" | "first" | "plane"> = {
  name: "matmul",
  bindings: [{"name":"x","kind":"read"},{"name":"weight","kind":"read"},{"name":"bias","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"n","type":"u32"},{"name":"k","type":"u32"},{"name":"has_bias","type":"u32"},{"name":"first","type":"u32"},{"name":"plane","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Matrix product with bias for GPUs: y = x W^T + b
//
//   x [vectors, k]   W [at least first + n, k], float32, float16 two to a word (HALF), or NF4   b as W   y [n / plane, vectors, plane]
//
// A workgroup of 16 x 16 makes a tile of 64 TALL rows and 64 WIDE columns, each invocation TALL x WIDE squares of 4 x 4 in
// registers. Both operands pass through workgroup memory 16 inputs at a time, four rows (or columns) of an input to a
// vector; vectors of an input are shuffled so that lanes that write neighbouring inputs write to other banks. Sums are kept
// in two levels, blocks of 16 inputs and the total; their order depends neither on the number of vectors nor on the tile.
//
// use lib/matmul-buffers.wgsl
// use lib/grid.wgsl

override TALL: u32;
override WIDE: u32;
const STEP = 16u;
const SIDE = 16u;
var<workgroup> xs: array<vec4f, STEP * SIDE * TALL>;
var<workgroup> ws: array<vec4f, STEP * SIDE * WIDE>;

// Four rows of four columns.
struct Square { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, }

fn multiply_add(s: ptr<function, Square>, rows: vec4f, columns: vec4f) {
  (*s).r0 = fma(vec4f(rows.x), columns, (*s).r0);
  (*s).r1 = fma(vec4f(rows.y), columns, (*s).r1);
  (*s).r2 = fma(vec4f(rows.z), columns, (*s).r2);
  (*s).r3 = fma(vec4f(rows.w), columns, (*s).r3);
}

fn add_square(total: ptr<function, Square>, block: ptr<function, Square>) {
  (*total).r0 += (*block).r0;
  (*total).r1 += (*block).r1;
  (*total).r2 += (*block).r2;
  (*total).r3 += (*block).r3;
}

fn four_inputs(row: u32, k: u32) -> vec4f {
  return vec4f(input_at(row, k), input_at(row + 1u, k), input_at(row + 2u, k), input_at(row + 3u, k));
}

fn four_weights(column: u32, k: u32) -> vec4f {
  return vec4f(weight_of(column, k), weight_of(column + 1u, k), weight_of(column + 2u, k), weight_of(column + 3u, k));
}

fn store_row(row: u32, column: u32, value: vec4f) {
  store(row, column, value.x);
  store(row, column + 1u, value.y);
  store(row, column + 2u, value.z);
  store(row, column + 3u, value.w);
}

fn store_square(row: u32, column: u32, s: Square) {
  store_row(row, column, s.r0);
  store_row(row + 1u, column, s.r1);
  store_row(row + 2u, column, s.r2);
  store_row(row + 3u, column, s.r3);
}

@compute @workgroup_size(SIDE * SIDE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + 64u * TALL - 1u) / (64u * TALL);
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + 64u * WIDE - 1u) / (64u * WIDE))) { return; }
  let row = 64u * TALL * (tile % row_tiles);
  let column = 64u * WIDE * (tile / row_tiles);
  let high = lane / SIDE;
  let low = lane % SIDE;
  var total_00 = Square();
  var total_01 = Square();
  var total_10 = Square();
  var total_11 = Square();
  for (var k = 0u; k < params.k; k += STEP) {
    xs[SIDE * TALL * low + (high ^ low)] = four_inputs(row + 4u * high, k + low);
    ws[SIDE * WIDE * low + (high ^ low)] = four_weights(column + 4u * high, k + low);
    if (TALL > 1u) { xs[SIDE * TALL * low + SIDE + (high ^ low)] = four_inputs(row + 64u + 4u * high, k + low); }
    if (WIDE > 1u) { ws[SIDE * WIDE * low + SIDE + (high ^ low)] = four_weights(column + 64u + 4u * high, k + low); }
    workgroupBarrier();
    var block_00 = Square();
    var block_01 = Square();
    var block_10 = Square();
    var block_11 = Square();
    for (var j = 0u; j < STEP; j++) {
      let rows = SIDE * TALL * j + (high ^ j);
      let columns = SIDE * WIDE * j + (low ^ j);
      multiply_add(&block_00, xs[rows], ws[columns]);
      if (WIDE > 1u) { multiply_add(&block_01, xs[rows], ws[columns + SIDE]); }
      if (TALL > 1u) { multiply_add(&block_10, xs[rows + SIDE], ws[columns]); }
      if (TALL > 1u && WIDE > 1u) { multiply_add(&block_11, xs[rows + SIDE], ws[columns + SIDE]); }
    }
    workgroupBarrier();
    add_square(&total_00, &block_00);
    if (WIDE > 1u) { add_square(&total_01, &block_01); }
    if (TALL > 1u) { add_square(&total_10, &block_10); }
    if (TALL > 1u && WIDE > 1u) { add_square(&total_11, &block_11); }
  }
  let out_row = row + 4u * high;
  let out_column = column + 4u * low;
  store_square(out_row, out_column, total_00);
  if (WIDE > 1u) { store_square(out_row, out_column + 64u, total_01); }
  if (TALL > 1u) { store_square(out_row + 64u, out_column, total_10); }
  if (TALL > 1u && WIDE > 1u) { store_square(out_row + 64u, out_column + 64u, total_11); }
}

// What the matrix products of tiers A and B share: parameters and bindings, how operands are read and outputs stored. Of the
// weight and the bias n outputs from \`first\` on are made. Operands beyond the edges are zero; what lies there is not stored.
//
// use lib/weight-at.wgsl
// use lib/planes.wgsl

override HALF: bool;
override NF4: bool;

struct Params { vectors: u32, n: u32, k: u32, has_bias: u32, first: u32, plane: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn input_at(row: u32, k: u32) -> f32 {
  if (row >= params.vectors || k >= params.k) { return 0.0; }
  return x[row * params.k + k];
}

fn weight_of(output: u32, k: u32) -> f32 {
  if (output >= params.n || k >= params.k) { return 0.0; }
  return weight_at(params.first + output, k);
}

fn store(row: u32, n: u32, value: f32) {
  if (row >= params.vectors || n >= params.n) { return; }
  var b = 0.0;
  if (params.has_bias != 0u) { b = bias[params.first + n]; }
  y[output_at(row, n)] = value + b;
}

// A weight of a matrix in a buffer: float32, float16 two to a word (HALF), or NF4, with float16 scales if HALF. The kernel
// brings weight, params.k, HALF, NF4.
//
// use lib/nf4.wgsl

fn weight_at(row: u32, k: u32) -> f32 {
  if (NF4) {
    let start = row * nf4_words(params.k);
    let level = NF4_LEVELS[(weight[start + nf4_word(k)] >> (4u * (k % 8u))) & 15u];
    let block = nf4_block(params.k, row, k);
    return level * nf4_scale(weight[start + nf4_scale_word(params.k, block)], block);
  }
  let at = row * params.k + k;
  if (HALF) {
    let pair = open_half(weight[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  }
  return bitcast<f32>(weight[at]);
}

// NF4: a weight is one of 16 levels times the largest magnitude of its block, both float32. A block is 64 neighbours in
// the row-major matrix, so a row may begin within one.
//
// A row is stored in words of its own: codes, eight to a word, the first in the low bits; then the scales of the blocks
// that it touches, float32, or float16 two to a word (HALF): the largest of float16 weights is one of them. Code and
// scale of an input are found within the row. The kernel brings HALF.
//
// use lib/half.wgsl

const NF4_BLOCK = 64u;
const NF4_LEVELS = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
);

// Words of a row.
fn nf4_words(inputs: u32) -> u32 {
  let ragged = select(0u, 1u, inputs % NF4_BLOCK != 0u);
  return nf4_scale_word(inputs, (inputs + 63u) / NF4_BLOCK + ragged + select(0u, 1u, HALF));
}

// The word with the codes of an input.
fn nf4_word(k: u32) -> u32 { return k / 8u; }

// The block of an input, counted within its row; the word with the block's scale, and the scale.
fn nf4_block(inputs: u32, row: u32, k: u32) -> u32 { return ((row * inputs) % NF4_BLOCK + k) / NF4_BLOCK; }
fn nf4_scale_word(inputs: u32, block: u32) -> u32 { return (inputs + 7u) / 8u + select(block, block / 2u, HALF); }
fn nf4_scale(word: u32, block: u32) -> f32 {
  if (!HALF) { return bitcast<f32>(word); }
  let pair = open_half(word);
  return select(pair.x, pair.y, block % 2u == 1u);
}

// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}

// Where output n of a row lies: outputs are kept in planes of \`plane\` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/patches.wgsl */
export const patches: Shader<"pixels" | "y", { WG?: number }, "count" | "size" | "patch_side"> = {
  name: "patches",
  bindings: [{"name":"pixels","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"size","type":"u32"},{"name":"patch_side","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Cuts a picture into patches, each one a vector that a convolution of the same stride would multiply.
//
//   pixels [rows, 3, size, size]   y [rows, (size / patch)^2, 3 patch^2], channel, row, column within the patch
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, size: u32, patch_side: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> pixels: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let area = params.patch_side * params.patch_side;
  let side = params.size / params.patch_side;
  let element = i % (3u * area);
  let patch_index = i / (3u * area) % (side * side);
  let row = i / (3u * params.size * params.size);
  let channel = element / area;
  let py = patch_index / side * params.patch_side + element % area / params.patch_side;
  let px = patch_index % side * params.patch_side + element % params.patch_side;
  y[i] = pixels[((row * 3u + channel) * params.size + py) * params.size + px];
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/quick-gelu.wgsl */
export const quickGelu: Shader<"x" | "y", { WG?: number }, "count"> = {
  name: "quick-gelu",
  bindings: [{"name":"x","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// The GELU that CLIP was trained with: y = x sigmoid(1.702 x)
//
//   x, y  [count]
//
// An invocation makes four neighbours; memory is lent in multiples of that.
//
// use lib/swish.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

fn quick_gelu(x: f32) -> f32 { return times_sigmoid(x, 1.702 * x); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (4u * i >= params.count) { return; }
  let v = x[i];
  y[i] = vec4f(quick_gelu(v.x), quick_gelu(v.y), quick_gelu(v.z), quick_gelu(v.w));
}

// x sigmoid(s) with the exponential of a negative number only, so that nothing overflows.
// use lib/exp.wgsl

fn times_sigmoid(x: f32, s: f32) -> f32 {
  let e = exp_exact(-abs(s));
  return select(x, x * e, s < 0.0) / (1.0 + e);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/rms-norm.wgsl */
export const rmsNorm: Shader<"x" | "weight" | "y", { WG: number; WIDTH: number; EPS: number }, "vectors"> = {
  name: "rms-norm",
  bindings: [{"name":"x","kind":"read"},{"name":"weight","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"}],
  code: {
    subgroup: `enable subgroups;
requires immediate_address_space;
// Root-mean-square norm over the last axis: y = x / sqrt(mean(x^2) + EPS) * weight
//
//   x, y    [vectors, WIDTH]
//   weight  [WIDTH]
//
// One workgroup per vector.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl

override WG: u32;
override WIDTH: u32;
override EPS: f32;

struct Params { vectors: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let at = vector * WIDTH;
  var squares = 0.0;
  for (var i = lane; i < WIDTH; i += WG) { squares += x[at + i] * x[at + i]; }
  let scale = 1.0 / sqrt(group_sum(squares, lane) / f32(WIDTH) + EPS);
  for (var i = lane; i < WIDTH; i += WG) { y[at + i] = x[at + i] * scale * weight[i]; }
}

// Sums and maxima over a workgroup that is one subgroup: no barrier, no workgroup memory.
// For software adapters, where a barrier costs more than the sum.

fn group_sum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }

fn group_max(value: f32, lane: u32) -> f32 { return subgroupMax(value); }

fn group_min_index(value: u32, lane: u32) -> u32 { return subgroupMin(value); }

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
    workgroup: `requires immediate_address_space;
// Root-mean-square norm over the last axis: y = x / sqrt(mean(x^2) + EPS) * weight
//
//   x, y    [vectors, WIDTH]
//   weight  [WIDTH]
//
// One workgroup per vector.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl

override WG: u32;
override WIDTH: u32;
override EPS: f32;

struct Params { vectors: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let at = vector * WIDTH;
  var squares = 0.0;
  for (var i = lane; i < WIDTH; i += WG) { squares += x[at + i] * x[at + i]; }
  let scale = 1.0 / sqrt(group_sum(squares, lane) / f32(WIDTH) + EPS);
  for (var i = lane; i < WIDTH; i += WG) { y[at + i] = x[at + i] * scale * weight[i]; }
}

// Sums and maxima over a workgroup by a tree in workgroup memory: needs no subgroups. WG is a power of two.

var<workgroup> tree: array<f32, WG>;
var<workgroup> index_tree: array<u32, WG>;

fn group_sum(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let total = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return total;
}

fn group_max(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] = max(tree[lane], tree[lane + half]); }
  }
  let largest = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return largest;
}

fn group_min_index(value: u32, lane: u32) -> u32 {
  index_tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { index_tree[lane] = min(index_tree[lane], index_tree[lane + half]); }
  }
  let smallest = workgroupUniformLoad(&index_tree[0]);
  workgroupBarrier();
  return smallest;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/rotary.wgsl */
export const rotary: Shader<"x" | "cos_table" | "sin_table" | "y", { WG?: number; HEADS: number; DIM: number }, "count" | "tokens" | "x_rows" | "cos_rows" | "sin_rows"> = {
  name: "rotary",
  bindings: [{"name":"x","kind":"read"},{"name":"cos_table","kind":"read"},{"name":"sin_table","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"tokens","type":"u32"},{"name":"x_rows","type":"u32"},{"name":"cos_rows","type":"u32"},{"name":"sin_rows","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Rotary position embedding: y[d] = x[d] cos[d] + r[d] sin[d],  r = [-second half of x, first half of x]
//
//   x [x_rows, tokens, HEADS, DIM]   cos [cos_rows, tokens, DIM]   sin [sin_rows, tokens, DIM]   y [rows, tokens, HEADS, DIM]
//
// The angles come as tables, because the model's are those of float32 arithmetic in one order.
//
// use lib/grid.wgsl

override WG: u32 = 64;
override HEADS: u32;
override DIM: u32;

struct Params { count: u32, tokens: u32, x_rows: u32, cos_rows: u32, sin_rows: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> cos_table: array<f32>;
@group(0) @binding(2) var<storage, read> sin_table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let d = i % DIM;
  let head = i / DIM % HEADS;
  let token = i / DIM / HEADS % params.tokens;
  let row = i / DIM / HEADS / params.tokens;
  let at = ((row_of(row, params.x_rows) * params.tokens + token) * HEADS + head) * DIM + d;
  let first = d < DIM / 2u;
  let other = x[select(at - DIM / 2u, at + DIM / 2u, first)];
  let turned = select(other, -other, first) * sin_table[(row_of(row, params.sin_rows) * params.tokens + token) * DIM + d];
  y[i] = fma(x[at], cos_table[(row_of(row, params.cos_rows) * params.tokens + token) * DIM + d], turned);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/rows.wgsl */
export const rows: Shader<"x" | "y", { WG?: number }, "count" | "row_size" | "x_rows" | "first"> = {
  name: "rows",
  bindings: [{"name":"x","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"row_size","type":"u32"},{"name":"x_rows","type":"u32"},{"name":"first","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// The batch rule made real: y[first + r] = x[r] where x has that row, else x[0].
//
//   x [x_rows, row_size]   y [at least first + rows, row_size]
//
// Spawned variants start as copies of the base run. WebGPU rejects copies within one buffer, so a kernel copies.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, row_size: u32, x_rows: u32, first: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  y[params.first * params.row_size + i] = x[row_of(i / params.row_size, params.x_rows) * params.row_size + i % params.row_size];
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/softmax.wgsl */
export const softmax: Shader<"x" | "y", { WG: number }, "vectors" | "width"> = {
  name: "softmax",
  bindings: [{"name":"x","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"vectors","type":"u32"},{"name":"width","type":"u32"}],
  code: {
    subgroup: `enable subgroups;
requires immediate_address_space;
// Softmax over the last axis: y = exp(x - max) / sum exp(x - max)
//
//   x, y  [vectors, width]
//
// One workgroup per vector. The maximum is subtracted, so nothing overflows; -inf gives 0.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl
// use lib/exp.wgsl

override WG: u32;

struct Params { vectors: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let at = vector * params.width;
  var largest = -3.4e38;
  for (var i = lane; i < params.width; i += WG) { largest = max(largest, x[at + i]); }
  largest = group_max(largest, lane);
  var total = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let e = exp_exact(x[at + i] - largest);
    y[at + i] = e;
    total += e;
  }
  total = group_sum(total, lane);
  for (var i = lane; i < params.width; i += WG) { y[at + i] = y[at + i] / total; }
}

// Sums and maxima over a workgroup that is one subgroup: no barrier, no workgroup memory.
// For software adapters, where a barrier costs more than the sum.

fn group_sum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }

fn group_max(value: f32, lane: u32) -> f32 { return subgroupMax(value); }

fn group_min_index(value: u32, lane: u32) -> u32 { return subgroupMin(value); }

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}
`,
    workgroup: `requires immediate_address_space;
// Softmax over the last axis: y = exp(x - max) / sum exp(x - max)
//
//   x, y  [vectors, width]
//
// One workgroup per vector. The maximum is subtracted, so nothing overflows; -inf gives 0.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl
// use lib/exp.wgsl

override WG: u32;

struct Params { vectors: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = linear_group(id, count);
  if (vector >= params.vectors) { return; }
  let at = vector * params.width;
  var largest = -3.4e38;
  for (var i = lane; i < params.width; i += WG) { largest = max(largest, x[at + i]); }
  largest = group_max(largest, lane);
  var total = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let e = exp_exact(x[at + i] - largest);
    y[at + i] = e;
    total += e;
  }
  total = group_sum(total, lane);
  for (var i = lane; i < params.width; i += WG) { y[at + i] = y[at + i] / total; }
}

// Sums and maxima over a workgroup by a tree in workgroup memory: needs no subgroups. WG is a power of two.

var<workgroup> tree: array<f32, WG>;
var<workgroup> index_tree: array<u32, WG>;

fn group_sum(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let total = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return total;
}

fn group_max(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] = max(tree[lane], tree[lane + half]); }
  }
  let largest = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return largest;
}

fn group_min_index(value: u32, lane: u32) -> u32 {
  index_tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { index_tree[lane] = min(index_tree[lane], index_tree[lane + half]); }
  }
  let smallest = workgroupUniformLoad(&index_tree[0]);
  workgroupBarrier();
  return smallest;
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}

// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}
`,
  },
};

/** shaders/splice.wgsl */
export const splice: Shader<"x" | "guest" | "y", { WG?: number }, "count" | "width" | "tokens" | "x_tokens" | "first" | "removed" | "inserted" | "x_rows" | "guest_rows"> = {
  name: "splice",
  bindings: [{"name":"x","kind":"read"},{"name":"guest","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"width","type":"u32"},{"name":"tokens","type":"u32"},{"name":"x_tokens","type":"u32"},{"name":"first","type":"u32"},{"name":"removed","type":"u32"},{"name":"inserted","type":"u32"},{"name":"x_rows","type":"u32"},{"name":"guest_rows","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Some tokens give way to others: y = [x[.. first], guest, x[first + removed ..]]
//
//   x [x_rows, x_tokens, width]   guest [guest_rows, inserted, width]   y [rows, tokens, width]
//
// Puts the picture's states among the words, and shared keys and values before those of the rows.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params {
  count: u32, width: u32, tokens: u32, x_tokens: u32, first: u32, removed: u32, inserted: u32, x_rows: u32, guest_rows: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> guest: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let column = i % params.width;
  let token = i / params.width % params.tokens;
  let row = i / params.width / params.tokens;
  let host = row_of(row, params.x_rows) * params.x_tokens;
  if (token >= params.first && token < params.first + params.inserted) {
    let own = row_of(row, params.guest_rows) * params.inserted + token - params.first;
    y[i] = guest[own * params.width + column];
  } else {
    let own = host + select(token + params.removed - params.inserted, token, token < params.first);
    y[i] = x[own * params.width + column];
  }
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/vision-embeddings.wgsl */
export const visionEmbeddings: Shader<"patches" | "class_embedding" | "position" | "y", { WG?: number }, "count" | "tokens" | "width"> = {
  name: "vision-embeddings",
  bindings: [{"name":"patches","kind":"read"},{"name":"class_embedding","kind":"read"},{"name":"position","kind":"read"},{"name":"y","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"tokens","type":"u32"},{"name":"width","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// What enters the vision tower: y[0] = class + position[0],  y[1 + p] = patch[p] + position[1 + p]
//
//   patches [rows, tokens - 1, width]   class_embedding [width]   position [tokens, width]   y [rows, tokens, width]
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, tokens: u32, width: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> patches: array<f32>;
@group(0) @binding(1) var<storage, read> class_embedding: array<f32>;
@group(0) @binding(2) var<storage, read> position: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let column = i % params.width;
  let token = i / params.width % params.tokens;
  let row = i / params.width / params.tokens;
  var value = class_embedding[column];
  if (token > 0u) { value = patches[(row * (params.tokens - 1u) + token - 1u) * params.width + column]; }
  y[i] = value + position[token * params.width + column];
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/weight-texture.wgsl */
export const weightTexture: Shader<"words" | "texels", { WG?: number }, "count" | "row_words" | "rows" | "first_texel"> = {
  name: "weight-texture",
  bindings: [{"name":"words","kind":"read"},{"name":"texels","kind":"texture-write"}],
  params: [{"name":"count","type":"u32"},{"name":"row_words","type":"u32"},{"name":"rows","type":"u32"},{"name":"first_texel","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Lays a weight matrix out as a texture whose texel holds four neighbouring outputs of one input (or of two, or eight):
//
//   words [rows, row_words] of N   texel (x, y) = words[4x .. 4x+3, y], 0 beyond the last row
//
// A float32 is one word, two float16 or eight NF4 codes are one word. A texel fetch costs about as much as one buffer
// load and brings four values, which is what the matrix product on software adapters is limited by. The matrix comes in
// pieces of whole rows, four at a time.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, row_words: u32, rows: u32, first_texel: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32uint, write>;

fn word(row: u32, column: u32) -> u32 {
  return select(0u, words[row * params.row_words + column], row < params.rows);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let y = i % params.row_words;
  let x = i / params.row_words;
  let texel = vec4u(word(4u * x, y), word(4u * x + 1u, y), word(4u * x + 2u, y), word(4u * x + 3u, y));
  textureStore(texels, vec2u(params.first_texel + x, y), texel);
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};

/** shaders/write-slices.wgsl */
export const writeSlices: Shader<"source" | "slices" | "destination" | "changed", { WG?: number }, "count" | "first_changed"> = {
  name: "write-slices",
  bindings: [{"name":"source","kind":"read"},{"name":"slices","kind":"read"},{"name":"destination","kind":"read_write"},{"name":"changed","kind":"read_write"}],
  params: [{"name":"count","type":"u32"},{"name":"first_changed","type":"u32"}],
  code: {
    plain: `requires immediate_address_space;
// Replaces slices of an activation in place, one workgroup a slice:
//
//   target [...]   source [...]   slices [count, 5]: first element in target, in source, length, kind, factor
//   kind 0: copy the source   1: fill with the factor   2: times the factor   3: plus factor times the source
//   changed: word first_changed + i is set to 1 if any bit of slice i became another
//
// The slices of one dispatch do not overlap.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, first_changed: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> slices: array<u32>;
@group(0) @binding(2) var<storage, read_write> destination: array<f32>;
@group(0) @binding(3) var<storage, read_write> changed: array<atomic<u32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = linear_group(id, count);
  if (slice >= params.count) { return; }
  let to = slices[5u * slice];
  let begin = slices[5u * slice + 1u];
  let length = slices[5u * slice + 2u];
  let kind = slices[5u * slice + 3u];
  let factor = bitcast<f32>(slices[5u * slice + 4u]);
  for (var i = lane; i < length; i += WG) {
    let old = destination[to + i];
    var value = factor;
    if (kind == 0u) { value = source[begin + i]; }
    if (kind == 2u) { value = old * factor; }
    if (kind == 3u) { value = old + factor * source[begin + i]; }
    destination[to + i] = value;
    if (bitcast<u32>(value) != bitcast<u32>(old)) { atomicStore(&changed[params.first_changed + slice], 1u); }
  }
}

// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
`,
  },
};
