// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// `weights_at`, the weights of four neighbouring outputs for 16 inputs.
//
// use lib/panel.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

// Where the weights of a lane's four sets of outputs lie.
struct Places { a: vec2u, b: vec2u, c: vec2u, d: vec2u, }

fn block_at(at: Places, k: u32) -> Block {
  return Block(weights_at(at.a, k), weights_at(at.b, k), weights_at(at.c, k), weights_at(at.d, k));
}

// A lane's values of a row for 16 inputs from k on. Beyond the last input they are zero.
fn row_at(start: u32, k: u32, lane: u32) -> vec4f {
  let at = vec4u(k + lane) + vec4u(0u, 4u, 8u, 12u);
  let row = vec4f(x[start + within(at.x)], x[start + within(at.y)], x[start + within(at.z)], x[start + within(at.w)]);
  if (!RAGGED) { return row; }
  return row * select(vec4f(), vec4f(1.0), at < vec4u(params.k));
}

fn store_set(row: u32, own: u32, value: vec4f) {
  if (4u * own < params.n) { store(row, 4u * own, value + bias_of(4u * own)); }
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + PANEL_ROWS - 1u) / PANEL_ROWS;
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + 4u * SG - 1u) / (4u * SG))) { return; }
  let first = PANEL_ROWS * (tile % row_tiles);
  let rows = min(PANEL_ROWS, params.vectors - first);
  let own = tile / row_tiles * 4u * SG + lane;
  let places = Places(place_in(own), place_in(own + SG), place_in(own + 2u * SG), place_in(own + 3u * SG));
  var totals = array<Sums, PANEL_ROWS>();
  for (var k = 0u; k < params.k; k += PANEL) {
    let w0 = block_at(places, k);
    let w1 = block_at(places, k + 16u);
    let w2 = block_at(places, k + 32u);
    let w3 = block_at(places, k + 48u);
    for (var i = 0u; i < rows; i++) {
      let at = start(first + i);
      var total = totals[i];
      add_block(&total, row_at(at, k, lane), w0);
      add_block(&total, row_at(at, k + 16u, lane), w1);
      add_block(&total, row_at(at, k + 32u, lane), w2);
      add_block(&total, row_at(at, k + 48u, lane), w3);
      totals[i] = total;
    }
  }
  for (var i = 0u; i < rows; i++) {
    let total = totals[i];
    store_set(first + i, own, total.a);
    store_set(first + i, own + SG, total.b);
    store_set(first + i, own + 2u * SG, total.c);
    store_set(first + i, own + 3u * SG, total.d);
  }
}
