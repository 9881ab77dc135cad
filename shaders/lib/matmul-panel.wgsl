// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// `weights_in`, the weights of four neighbouring outputs for 16 inputs.
//
// use lib/panel.wgsl
// use lib/matmul-frame.wgsl
// use lib/grid.wgsl

// The first of its rows; which four outputs its first set is, and where the weights of all sets lie.
struct Lane { lane: u32, row: u32, own: u32, places: array<vec2u, 4>, }

fn weights_at(at: Lane, which: u32, k: u32) -> Weights { return weights_in(at.places[which], k); }

fn start_of(at: Lane, i: u32) -> u32 { return start(at.row + i); }

// Beyond the last input rows are zero.
fn row_at(start: u32, k: u32, lane: u32) -> vec4f {
  let at = vec4u(k + lane) + vec4u(0u, 4u, 8u, 12u);
  let row = vec4f(x[start + within(at.x)], x[start + within(at.y)], x[start + within(at.z)], x[start + within(at.w)]);
  if (!RAGGED) { return row; }
  return row * select(vec4f(), vec4f(1.0), at < vec4u(params.k));
}

fn store_at(at: Lane, which: u32, i: u32, value: vec4f) {
  let first = 4u * (at.own + which * SG);
  if (first < params.n) { store(at.row + i, first, value + bias_of(first)); }
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
  make_rows(Lane(lane, row, own, places), rows, params.k);
}
