// The frame of a matrix product in strips (strip.wgsl): which rows and columns a workgroup makes, and how they are stored.
// The kernel brings `prepare`, which readies a lane, `place_of`, where the weights of four neighbouring outputs lie, and
// `weights`, which reads a block of inputs of them.
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
