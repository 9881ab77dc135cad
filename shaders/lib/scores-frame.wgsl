// What the attention scores of tier D share: parameters, where queries and keys start, how scores are stored. y has
// `own_heads` of all heads, from first_head on. RAGGED: the last block of a head's elements is cut off. Brought are q and k,
// and `key`, four words of k: scores-buffers.wgsl, scores-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;
override RAGGED: bool;

struct Params {
  q_rows: u32, k_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32, causal: u32, scale: f32, minus_infinity: f32,
}
var<immediate> params: Params;

@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  return ((first + min(query, params.queries - 1u)) * params.heads + params.first_head + head) * params.dim;
}

// An element that there is; nothing is compared where blocks fill a head exactly.
fn within(d: u32) -> u32 {
  if (!RAGGED) { return d; }
  return min(d, params.dim - 1u);
}

// Four neighbouring sources; the last one stands for those beyond it.
fn clamped(source: u32) -> vec4u {
  return min(vec4u(source) + vec4u(0u, 1u, 2u, 3u), vec4u(params.sources - 1u));
}

// Where the keys of sources start.
fn keys_of(row: u32, at: vec4u, own_head: u32) -> vec4u {
  let head = params.first_head + own_head;
  return vec4u(memory_of(row, at.x, head), memory_of(row, at.y, head), memory_of(row, at.z, head), memory_of(row, at.w, head));
}

// Four elements of four neighbouring sources, one element a column; beyond the head's end they meet a zero.
fn four(at: vec4u, d: u32) -> mat4x4f {
  let e = vec4u(within(d)) + at;
  return transpose(mat4x4f(key(e.x / 4u), key(e.y / 4u), key(e.z / 4u), key(e.w / 4u)));
}

// A query's token, and where its scores start. Beyond the last query stands the last.
struct Place { token: u32, at: u32, }

fn place(batch: u32, query: u32, head: u32) -> Place {
  let flat = batch * params.tokens + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  let token = flat - row * params.tokens;
  return Place(token, ((row * params.own_heads + head) * params.tokens + token) * params.sources);
}

// Scores of one query with four sources. What lies beyond the last query or source was computed as the last, and writes
// what it is.
fn store(p: Place, sources: vec4u, dots: vec4f) {
  let at = vec4u(p.at) + sources;
  let hidden = vec4<bool>(vec4u(params.causal)) & (sources + vec4u(params.tokens) > vec4u(p.token + params.sources));
  let value = select(dots * params.scale, vec4f(params.minus_infinity), hidden);
  y[at.x] = value.x;
  y[at.y] = value.y;
  y[at.z] = value.z;
  y[at.w] = value.w;
}
