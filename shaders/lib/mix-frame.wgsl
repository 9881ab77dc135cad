// What the attention mixes of tier D share: where probabilities start, how values are read and the mix is stored.
// The kernel brings probs, v, z and params.
//
// use lib/memory.wgsl

fn start(first: u32, query: u32, head: u32) -> u32 {
  let flat = first + min(query, params.queries - 1u);
  let row = flat / params.tokens;
  return ((row * params.heads + head) * params.tokens + flat - row * params.tokens) * params.sources;
}

// Four neighbouring columns of one source; beyond the last source they meet a zero.
fn columns(row: u32, head: u32, source: u32, column: u32) -> vec4f {
  return v[(memory_of(row, min(source, params.sources - 1u), head) + column) / 4u];
}

// Four neighbouring columns of a query. Queries beyond the last were computed as the last, and write what it is.
fn store(batch: u32, query: u32, head: u32, column: u32, value: vec4f) {
  let row = batch * params.tokens + min(query, params.queries - 1u);
  z[((row * params.heads + head) * params.dim + column) / 4u] = value;
}
