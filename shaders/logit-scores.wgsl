// What a sweep keeps of a row of logits z, given the logits c of its clean run and the ids of its two answers:
//
//   scores [rows, 9]: z[correct], z[incorrect], max z, sum exp(z - max z), argmax z (its index, as a number),
//                     rank of the correct answer (1 = largest), number of NaN and Inf, sum exp(c - max c),
//                     sum p ((c - max c) - (z - max z)) with p = softmax c
//
//   logits [rows, width]   clean [rows / each, width]   answers [rows / each, 2]
//
// One workgroup a row; the sums never depend on how many rows there are. The logarithms are left to the host: with them
// logsumexp z = max z + log of the sum, KL(p || softmax z) = the last sum - log of the clean sum + log of the sum.
//
// use lib/reduce.wgsl
// use lib/grid.wgsl
// use lib/exp.wgsl

override WG: u32;

struct Params { rows: u32, width: u32, each: u32, }
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> clean: array<f32>;
@group(0) @binding(2) var<storage, read> answers: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = linear_group(id, count);
  if (row >= params.rows) { return; }
  let at = row * params.width;
  let run = row / params.each;
  let own = run * params.width;
  let correct = answers[run].x;
  let incorrect = answers[run].y;
  let answer = logits[at + correct];

  var largest = -3.4e38;
  var clean_largest = -3.4e38;
  var above = 0.0;
  var broken = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let z = logits[at + i];
    largest = max(largest, z);
    clean_largest = max(clean_largest, clean[own + i]);
    above += select(0.0, 1.0, z > answer);
    broken += select(1.0, 0.0, finite(z));
  }
  largest = group_max(largest, lane);
  clean_largest = group_max(clean_largest, lane);
  let rank = group_sum(above, lane) + 1.0;
  let not_finite = group_sum(broken, lane);

  var total = 0.0;
  var clean_total = 0.0;
  var first = 0xffffffffu;
  for (var i = lane; i < params.width; i += WG) {
    let z = logits[at + i];
    total += exp_exact(z - largest);
    clean_total += exp_exact(clean[own + i] - clean_largest);
    if (z == largest) { first = min(first, i); }
  }
  let sum = group_sum(total, lane);
  let clean_sum = group_sum(clean_total, lane);
  let top = group_min_index(first, lane);

  var divergence = 0.0;
  for (var i = lane; i < params.width; i += WG) {
    let p = exp_exact(clean[own + i] - clean_largest) / clean_sum;
    divergence += p * ((clean[own + i] - clean_largest) - (logits[at + i] - largest));
  }
  divergence = group_sum(divergence, lane);

  if (lane == 0u) {
    let out = 9u * row;
    scores[out] = answer;
    scores[out + 1u] = logits[at + incorrect];
    scores[out + 2u] = largest;
    scores[out + 3u] = sum;
    scores[out + 4u] = f32(top);
    scores[out + 5u] = rank;
    scores[out + 6u] = not_finite;
    scores[out + 7u] = clean_sum;
    scores[out + 8u] = divergence;
  }
}
