// The frame of a matrix product in tiles of 16 rows (tile.wgsl): which rows and columns a workgroup makes.
// The kernel brings SG, `place_of`, where its weights lie, and `add_inputs`, which adds a block of inputs to a tile.

// A lane's input of each row. Beyond the last input the rows are zero.
fn rows_at(starts: Starts, k: u32) -> Rows {
  let mine = within(k);
  let a = Rows(
    vec4f(x[starts.a.x + mine], x[starts.a.y + mine], x[starts.a.z + mine], x[starts.a.w + mine]),
    vec4f(x[starts.b.x + mine], x[starts.b.y + mine], x[starts.b.z + mine], x[starts.b.w + mine]),
    vec4f(x[starts.c.x + mine], x[starts.c.y + mine], x[starts.c.z + mine], x[starts.c.w + mine]),
    vec4f(x[starts.d.x + mine], x[starts.d.y + mine], x[starts.d.z + mine], x[starts.d.w + mine]),
  );
  if (!RAGGED) { return a; }
  let inside = select(0.0, 1.0, k < params.k);
  return Rows(a.a * inside, a.b * inside, a.c * inside, a.d * inside);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + ROWS - 1u) / ROWS;
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + SG - 1u) / SG)) { return; }
  let row = ROWS * (tile % row_tiles);
  let own = tile / row_tiles * SG + lane;
  let place = place_of(min(own, texels - 1u));
  let starts = Starts(
    vec4u(start(row + 0u), start(row + 1u), start(row + 2u), start(row + 3u)),
    vec4u(start(row + 4u), start(row + 5u), start(row + 6u), start(row + 7u)),
    vec4u(start(row + 8u), start(row + 9u), start(row + 10u), start(row + 11u)),
    vec4u(start(row + 12u), start(row + 13u), start(row + 14u), start(row + 15u)),
  );
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
