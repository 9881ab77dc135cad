// The queries of attention scores in tiles (tile.wgsl).
//
// use lib/scores-frame.wgsl
// use lib/query-starts.wgsl

// A lane's element of each query. Beyond the head's end the queries are zero.
fn rows_at(starts: Starts, d: u32) -> Rows {
  let mine = within(d);
  let rows = Rows(
    vec4f(q[starts.a.x + mine], q[starts.a.y + mine], q[starts.a.z + mine], q[starts.a.w + mine]),
    vec4f(q[starts.b.x + mine], q[starts.b.y + mine], q[starts.b.z + mine], q[starts.b.w + mine]),
    vec4f(q[starts.c.x + mine], q[starts.c.y + mine], q[starts.c.z + mine], q[starts.c.w + mine]),
    vec4f(q[starts.d.x + mine], q[starts.d.y + mine], q[starts.d.z + mine], q[starts.d.w + mine]),
  );
  if (!RAGGED) { return rows; }
  let inside = select(0.0, 1.0, d < params.dim);
  return Rows(rows.a * inside, rows.b * inside, rows.c * inside, rows.d * inside);
}
