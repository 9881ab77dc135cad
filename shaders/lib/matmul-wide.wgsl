// The frame of a matrix product in wide tiles (wide-tile.wgsl): which rows and columns a workgroup makes.
// The kernel brings `place_of`, where the weights of four neighbouring outputs lie, and `add_inputs`, which adds a block
// of inputs to a tile.
//
// use lib/matmul-rows.wgsl

// Where the weights of a lane's four sets of outputs lie.
struct Places { a: vec2u, b: vec2u, c: vec2u, d: vec2u, }

fn store_set(row: u32, own: u32, t: Tile) {
  let first = 4u * own;
  if (first >= params.n) { return; }
  let b = bias_of(first);
  store(row + 0u, first, t.r0 + b);
  store(row + 1u, first, t.r1 + b);
  store(row + 2u, first, t.r2 + b);
  store(row + 3u, first, t.r3 + b);
  store(row + 4u, first, t.r4 + b);
  store(row + 5u, first, t.r5 + b);
  store(row + 6u, first, t.r6 + b);
  store(row + 7u, first, t.r7 + b);
  store(row + 8u, first, t.r8 + b);
  store(row + 9u, first, t.r9 + b);
  store(row + 10u, first, t.r10 + b);
  store(row + 11u, first, t.r11 + b);
  store(row + 12u, first, t.r12 + b);
  store(row + 13u, first, t.r13 + b);
  store(row + 14u, first, t.r14 + b);
  store(row + 15u, first, t.r15 + b);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + ROWS - 1u) / ROWS;
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + 4u * SG - 1u) / (4u * SG))) { return; }
  let row = ROWS * (tile % row_tiles);
  let own = tile / row_tiles * 4u * SG + lane;
  let places = Places(place_in(own), place_in(own + SG), place_in(own + 2u * SG), place_in(own + 3u * SG));
  let starts = starts_of(row);
  var total = Wide();
  for (var k = 0u; k < params.k; k += K_BLOCK) {
    var block = Wide();
    add_inputs(&block, starts, places, k, lane);
    add_wide(&total, &block);
  }
  store_set(row, own, total.a);
  store_set(row, own + SG, total.b);
  store_set(row, own + 2u * SG, total.c);
  store_set(row, own + 3u * SG, total.d);
}
