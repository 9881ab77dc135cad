// A strip's rows (strip.wgsl) out of a texture. The frame brings RAGGED and `within`: matmul-frame.wgsl, scores-frame.wgsl.
//
// use lib/strip.wgsl
// use lib/texels.wgsl
// use lib/stored.wgsl

// A lane's texels of the block of inputs from k on, where the rows start with these texels. Beyond the `end` they are zero.
fn rows_at(words: Texels, starts: vec2u, k: u32, end: u32, lane: u32) -> Rows {
  let at = k + 4u * four_of(lane);
  let own = within(at) / 4u;
  let rows = Rows(texel(words, starts.x + own), texel(words, starts.y + own));
  if (!RAGGED) { return rows; }
  let there = at < end;
  return Rows(select(vec4f(), rows.pair, there), select(vec4f(), rows.last, there));
}
