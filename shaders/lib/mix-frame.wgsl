// What the attention mixes of tier D share: parameters and bindings, where probabilities start, how the mix is stored. There
// are probabilities of `own_heads` of all heads, from first_head on. Brought are v and `value`, four words of it:
// mix-buffers.wgsl, mix-texels.wgsl.
//
// use lib/memory.wgsl

override SG: u32;

struct Params {
  p_rows: u32, v_rows: u32, tokens: u32, sources: u32, prefix: u32, batches: u32, queries: u32,
  heads: u32, first_head: u32, own_heads: u32, group: u32, dim: u32,
}
var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;

fn start(first: u32, query: u32, head: u32) -> u32 {
  let flat = first + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  return ((row * params.own_heads + head) * params.tokens + flat - row * params.tokens) * params.sources;
}

// Four neighbouring columns of one source; beyond the last source they meet a zero.
fn columns(row: u32, head: u32, source: u32, column: u32) -> vec4f {
  return value((memory_of(row, min(source, params.sources - 1u), params.first_head + head) + column) / 4u);
}

// Four neighbouring columns of four sources, one source a column.
fn four(row: u32, head: u32, s: u32, column: u32) -> mat4x4f {
  return mat4x4f(
    columns(row, head, s, column), columns(row, head, s + 1u, column),
    columns(row, head, s + 2u, column), columns(row, head, s + 3u, column),
  );
}

// Four neighbouring columns of a query. Queries beyond the last were computed as the last, and write what it is.
fn store(batch: u32, query: u32, head: u32, column: u32, value: vec4f) {
  let row = batch * params.tokens + min(query, params.queries - 1u);
  z[((row * params.heads + params.first_head + head) * params.dim + column) / 4u] = value;
}
