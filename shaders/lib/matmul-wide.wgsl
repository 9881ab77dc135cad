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
  var rows = rows_of(t);
  for (var i = 0u; i < ROWS; i++) { store(row + i, first, rows[i] + b); }
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
