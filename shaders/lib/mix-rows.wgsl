// The probabilities of attention mixes in tiles (tile.wgsl).
//
// use lib/mix-frame.wgsl
// use lib/query-starts.wgsl

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
