// The probabilities of attention mixes in tiles (tile.wgsl, wide-tile.wgsl).
//
// use lib/mix-frame.wgsl

fn starts_of(first: u32, query: u32, head: u32) -> Starts {
  return Starts(
    vec4u(start(first, query + 0u, head), start(first, query + 1u, head), start(first, query + 2u, head), start(first, query + 3u, head)),
    vec4u(start(first, query + 4u, head), start(first, query + 5u, head), start(first, query + 6u, head), start(first, query + 7u, head)),
    vec4u(start(first, query + 8u, head), start(first, query + 9u, head), start(first, query + 10u, head), start(first, query + 11u, head)),
    vec4u(start(first, query + 12u, head), start(first, query + 13u, head), start(first, query + 14u, head), start(first, query + 15u, head)),
  );
}

// A lane's probability of each query. Beyond the last source they are zero.
fn rows_at(starts: Starts, s: u32) -> Rows {
  let mine = min(s, params.sources - 1u);
  let inside = select(0.0, 1.0, s < params.sources);
  let rows = Rows(
    vec4f(probs[starts.a.x + mine], probs[starts.a.y + mine], probs[starts.a.z + mine], probs[starts.a.w + mine]),
    vec4f(probs[starts.b.x + mine], probs[starts.b.y + mine], probs[starts.b.z + mine], probs[starts.b.w + mine]),
    vec4f(probs[starts.c.x + mine], probs[starts.c.y + mine], probs[starts.c.z + mine], probs[starts.c.w + mine]),
    vec4f(probs[starts.d.x + mine], probs[starts.d.y + mine], probs[starts.d.z + mine], probs[starts.d.w + mine]),
  );
  return Rows(rows.a * inside, rows.b * inside, rows.c * inside, rows.d * inside);
}
