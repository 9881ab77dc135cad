// Replaces slices of an activation in place, one workgroup a slice:
//
//   target [...]   source [...]   slices [count, 5]: first element in target, in source, length, kind, factor
//   kind 0: copy the source   1: fill with the factor   2: times the factor   3: plus factor times the source
//   changed: word first_changed + i is set to 1 if any bit of slice i became another
//
// The slices of one dispatch do not overlap.
//
// use lib/grid.wgsl

override WG: u32 = 64;

struct Params { count: u32, first_changed: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> slices: array<u32>;
@group(0) @binding(2) var<storage, read_write> destination: array<f32>;
@group(0) @binding(3) var<storage, read_write> changed: array<atomic<u32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = linear_group(id, count);
  if (slice >= params.count) { return; }
  let to = slices[5u * slice];
  let begin = slices[5u * slice + 1u];
  let length = slices[5u * slice + 2u];
  let kind = slices[5u * slice + 3u];
  let factor = bitcast<f32>(slices[5u * slice + 4u]);
  for (var i = lane; i < length; i += WG) {
    let old = destination[to + i];
    var value = factor;
    if (kind == 0u) { value = source[begin + i]; }
    if (kind == 2u) { value = old * factor; }
    if (kind == 3u) { value = old + factor * source[begin + i]; }
    destination[to + i] = value;
    if (bitcast<u32>(value) != bitcast<u32>(old)) { atomicStore(&changed[params.first_changed + slice], 1u); }
  }
}
