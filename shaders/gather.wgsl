// Rows of a table: y[i] = table[ids[i]], as far as this part of the table has them
//
//   table [entries, WIDTH] from entry `first` on, float32, or float16 two to a word (HALF)   ids [count]   y [count, WIDTH]
//
// A table may be larger than what an adapter binds in one piece: then each part is a dispatch that leaves the others' rows.
//
// use lib/half.wgsl
// use lib/grid.wgsl

override WG: u32 = 64;
override WIDTH: u32;
override HALF: bool;

struct Params { count: u32, first: u32, entries: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(id, count) * WG + lane;
  if (i >= params.count) { return; }
  let entry = ids[i / WIDTH] - params.first; // wraps where it lies before this part
  if (entry >= params.entries) { return; }
  let at = entry * WIDTH + i % WIDTH;
  if (HALF) {
    let pair = open_half(table[at / 2u]);
    y[i] = select(pair.x, pair.y, at % 2u == 1u);
  } else {
    y[i] = bitcast<f32>(table[at]);
  }
}
