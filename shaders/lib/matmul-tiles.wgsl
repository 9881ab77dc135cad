// The frame of a matrix product in tiles of 16 rows (tile.wgsl): which rows and columns a workgroup makes.
// The kernel brings `place_of`, where its weights lie, and `add_inputs`, which adds a block of inputs to a tile.
//
// use lib/matmul-rows.wgsl

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + ROWS - 1u) / ROWS;
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + SG - 1u) / SG)) { return; }
  let row = ROWS * (tile % row_tiles);
  let own = tile / row_tiles * SG + lane;
  let place = place_in(own);
  let starts = starts_of(row);
  var total = Tile();
  for (var k = 0u; k < params.k; k += K_BLOCK) {
    var block = Tile();
    add_inputs(&block, starts, place, k, lane);
    add_block(&total, &block);
  }
  if (own >= texels) { return; }
  let first = 4u * own;
  let b = bias_of(first);
  store(row + 0u, first, total.r0 + b);
  store(row + 1u, first, total.r1 + b);
  store(row + 2u, first, total.r2 + b);
  store(row + 3u, first, total.r3 + b);
  store(row + 4u, first, total.r4 + b);
  store(row + 5u, first, total.r5 + b);
  store(row + 6u, first, total.r6 + b);
  store(row + 7u, first, total.r7 + b);
  store(row + 8u, first, total.r8 + b);
  store(row + 9u, first, total.r9 + b);
  store(row + 10u, first, total.r10 + b);
  store(row + 11u, first, total.r11 + b);
  store(row + 12u, first, total.r12 + b);
  store(row + 13u, first, total.r13 + b);
  store(row + 14u, first, total.r14 + b);
  store(row + 15u, first, total.r15 + b);
}
