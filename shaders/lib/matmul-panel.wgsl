// The frame of a matrix product in panels (panel.wgsl): which rows and columns a workgroup makes. The kernel brings
// `weights_in`, the weights of four neighbouring outputs for 16 inputs in a lane's order.
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
