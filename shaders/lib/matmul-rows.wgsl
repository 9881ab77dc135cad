// The rows of a matrix product in tiles (tile.wgsl).
//
// use lib/matmul-frame.wgsl

fn starts_of(row: u32) -> Starts {
  return Starts(
    vec4u(start(row + 0u), start(row + 1u), start(row + 2u), start(row + 3u)),
    vec4u(start(row + 4u), start(row + 5u), start(row + 6u), start(row + 7u)),
    vec4u(start(row + 8u), start(row + 9u), start(row + 10u), start(row + 11u)),
    vec4u(start(row + 12u), start(row + 13u), start(row + 14u), start(row + 15u)),
  );
}

// A lane's input of each row. Beyond the last input the rows are zero.
fn rows_at(starts: Starts, k: u32) -> Rows {
  let mine = within(k);
  let a = Rows(
    vec4f(x[starts.a.x + mine], x[starts.a.y + mine], x[starts.a.z + mine], x[starts.a.w + mine]),
    vec4f(x[starts.b.x + mine], x[starts.b.y + mine], x[starts.b.z + mine], x[starts.b.w + mine]),
    vec4f(x[starts.c.x + mine], x[starts.c.y + mine], x[starts.c.z + mine], x[starts.c.w + mine]),
    vec4f(x[starts.d.x + mine], x[starts.d.y + mine], x[starts.d.z + mine], x[starts.d.w + mine]),
  );
  if (!RAGGED) { return a; }
  let inside = select(0.0, 1.0, k < params.k);
  return Rows(a.a * inside, a.b * inside, a.c * inside, a.d * inside);
}
