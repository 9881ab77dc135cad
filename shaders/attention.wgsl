// Attention for GPUs in one kernel: z = softmax(scale q k^T) v per head, -inf where a later token would be seen (causal)
//
//   q [q_rows, tokens, heads, dim]   k, v (lib/memory.wgsl)   z [rows, tokens, heads, dim]
//
// One workgroup makes QUERIES queries of a head; their scores never leave workgroup memory. Every sum is in the order of
// attention-scores.wgsl, softmax.wgsl and attention-mix.wgsl, so z has the bits that these make one after the other. Where
// all rows share their memory (`batches` is 1), the queries of all rows are one long list.
//
// use lib/memory.wgsl
// use lib/reduce.workgroup.wgsl
// use lib/exp.wgsl
// use lib/grid.wgsl

override QUERIES: u32;
const WG = 64u;
const MOST_QUERIES = 8u;
const SCORES = 3840u; // with the tree of sums within the 16 KiB that every device has
override SPAN = SCORES / QUERIES;

struct Params {
  q_rows: u32, k_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

var<workgroup> scores: array<f32, SCORES>;

// Beyond the last query stands the last.
fn query_of(first: u32, i: u32) -> u32 { return min(first + i, params.queries - 1u); }

fn score(first: u32, batch: u32, head: u32, source: u32) {
  let start = row_of(batch, params.q_rows) * params.tokens;
  let key = memory_of(row_of(batch, params.k_rows), source, head);
  var parts = array<vec4f, MOST_QUERIES>();
  for (var d = 0u; d < params.dim; d += 4u) {
    let b = k[(key + d) / 4u];
    for (var i = 0u; i < QUERIES; i++) {
      let query = ((start + query_of(first, i)) * params.heads + head) * params.dim;
      parts[i] = fma(q[(query + d) / 4u], b, parts[i]);
    }
  }
  for (var i = 0u; i < QUERIES; i++) {
    let token = (batch * params.tokens + query_of(first, i)) % params.tokens;
    let dots = ((parts[i].x + parts[i].y) + (parts[i].z + parts[i].w)) * params.scale;
    let hidden = params.causal != 0u && source + params.tokens > token + params.sources;
    scores[i * SPAN + source] = select(dots, params.minus_infinity, hidden);
  }
}

// A lane reads and writes what it made itself.
fn softmax(at: u32, lane: u32) {
  var largest = -3.4e38;
  for (var i = lane; i < params.sources; i += WG) { largest = max(largest, scores[at + i]); }
  largest = group_max(largest, lane);
  var total = 0.0;
  for (var i = lane; i < params.sources; i += WG) {
    let e = exp_exact(scores[at + i] - largest);
    scores[at + i] = e;
    total += e;
  }
  total = group_sum(total, lane);
  for (var i = lane; i < params.sources; i += WG) { scores[at + i] = scores[at + i] / total; }
}

fn mix(first: u32, batch: u32, head: u32, d: u32) {
  let row = row_of(batch, params.v_rows);
  var totals = array<f32, MOST_QUERIES>();
  var blocks = array<f32, MOST_QUERIES>();
  for (var s = 0u; s < params.sources; s++) {
    let value = v[memory_of(row, s, head) + d];
    for (var i = 0u; i < QUERIES; i++) { blocks[i] = fma(scores[i * SPAN + s], value, blocks[i]); }
    if (s % 16u == 15u) {
      for (var i = 0u; i < QUERIES; i++) {
        totals[i] += blocks[i];
        blocks[i] = 0.0;
      }
    }
  }
  for (var i = 0u; i < QUERIES; i++) {
    if (first + i < params.queries) {
      z[((batch * params.tokens + first + i) * params.heads + head) * params.dim + d] = totals[i] + blocks[i];
    }
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tiles = (params.queries + QUERIES - 1u) / QUERIES;
  let tile = linear_group(id, count);
  if (tile >= tiles * params.heads * params.batches) { return; }
  let first = QUERIES * (tile % tiles);
  let head = tile / tiles % params.heads;
  let batch = tile / tiles / params.heads;
  for (var source = lane; source < params.sources; source += WG) { score(first, batch, head, source); }
  for (var i = 0u; i < QUERIES; i++) { softmax(i * SPAN, lane); }
  workgroupBarrier();
  for (var d = lane; d < params.dim; d += WG) { mix(first, batch, head, d); }
}
