// The frame of a matrix product in strips (strip.wgsl): which rows and columns a workgroup makes, and how they are stored.
// The kernel brings STRIPS, `prepare`, which readies a lane, `place_of`, where the weights of four
// neighbouring outputs lie, and `weights`, which reads a block of inputs of them.

@group(0) @binding(0) var<storage, read> x: array<f32>;

fn start(row: u32) -> u32 { return min(row, params.vectors - 1u) * params.k; }

fn starts_of(row: u32) -> vec3u { return vec3u(start(row), start(row + 1u), start(row + 2u)); }

// A lane's input of each row. Beyond the last input the rows are zero.
fn rows_at(starts: vec3u, k: u32) -> vec3f {
  let at = starts + vec3u(within(k));
  let rows = vec3f(x[at.x], x[at.y], x[at.z]);
  if (!RAGGED) { return rows; }
  return rows * select(0.0, 1.0, k < params.k);
}

fn store_set(row: u32, first: u32, b: vec4f, s0: vec4f, s1: vec4f, s2: vec4f) {
  store(row + 0u, first, s0 + b);
  store(row + 1u, first, s1 + b);
  store(row + 2u, first, s2 + b);
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
      let starts = starts_of(row + STRIP * i);
      add_strip(&totals[i], strip_block(rows_at(starts, k + lane), rows_at(starts, k + lane + 8u), a, b));
    }
  }
  let bias_a = bias_of(min(4u * own_a, params.n - 1u));
  let bias_b = bias_of(min(4u * own_b, params.n - 1u));
  for (var i = 0u; i < strips; i++) {
    let s = totals[i];
    if (own_a < texels) { store_set(row + STRIP * i, 4u * own_a, bias_a, s.a0, s.a1, s.a2); }
    if (own_b < texels) { store_set(row + STRIP * i, 4u * own_b, bias_b, s.b0, s.b1, s.b2); }
  }
}
