// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// `weights_in`, the weights of four neighbouring outputs for 16 inputs.
//
// use lib/panel.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

// Where the weights of a lane's four sets of outputs lie; the first of its rows.
struct Lane { lane: u32, row: u32, places: array<vec2u, 4>, }

fn weights_at(at: Lane, which: u32, k: u32) -> Weights { return weights_in(at.places[which], k); }

fn start_of(at: Lane, i: u32) -> u32 { return start(at.row + i); }

// Beyond the last input rows are zero.
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
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((params.n + panel_columns() - 1u) / panel_columns())) { return; }
  let row = PANEL_ROWS * (tile % row_tiles);
  let rows = min(PANEL_ROWS, params.vectors - row);
  let own = tile / row_tiles * SETS * SG + lane;
  let places = array<vec2u, 4>(place_in(own), place_in(own + SG), place_in(own + 2u * SG), place_in(own + 3u * SG));
  var totals = array<Sums, PANEL_ROWS>();
  add_panels(&totals, Lane(lane, row, places), rows, params.k);
  for (var i = 0u; i < rows; i++) {
    let total = totals[i];
    store_set(row + i, own, total.a);
    if (SETS > 1u) { store_set(row + i, own + SG, total.b); }
    if (SETS > 2u) {
      store_set(row + i, own + 2u * SG, total.c);
      store_set(row + i, own + 3u * SG, total.d);
    }
  }
}
