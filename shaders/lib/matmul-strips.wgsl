// The frame of a matrix product in strips (strip.wgsl): which rows and columns a workgroup makes, and how they are stored.
// The kernel brings x, bias, y, params, RAGGED, SG, and `weights`, which reads a block of inputs.

fn starts_of(row: u32) -> StripStarts {
  return StripStarts(
    vec4u(start(row + 0u), start(row + 1u), start(row + 2u), start(row + 3u)),
    vec4u(start(row + 4u), start(row + 5u), start(row + 6u), start(row + 7u)),
  );
}

// A lane's input of each row. Beyond the last input the rows are zero.
fn rows_at(starts: StripStarts, k: u32) -> StripRows {
  let mine = within(k);
  let a = vec4f(x[starts.a.x + mine], x[starts.a.y + mine], x[starts.a.z + mine], x[starts.a.w + mine]);
  let b = vec4f(x[starts.b.x + mine], x[starts.b.y + mine], x[starts.b.z + mine], x[starts.b.w + mine]);
  if (!RAGGED) { return StripRows(a, b); }
  let inside = select(0.0, 1.0, k < params.k);
  return StripRows(a * inside, b * inside);
}

fn store_strip(row: u32, first: u32, b: vec4f, s: Strip) {
  store(row + 0u, first, s.r0 + b);
  store(row + 1u, first, s.r1 + b);
  store(row + 2u, first, s.r2 + b);
  store(row + 3u, first, s.r3 + b);
  store(row + 4u, first, s.r4 + b);
  store(row + 5u, first, s.r5 + b);
  store(row + 6u, first, s.r6 + b);
  store(row + 7u, first, s.r7 + b);
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (params.vectors + STRIPS * STRIP - 1u) / (STRIPS * STRIP);
  let texels = (params.n + 3u) / 4u;
  let tile = linear_group(id, count);
  if (tile >= row_tiles * ((texels + SG - 1u) / SG)) { return; }
  let row = STRIPS * STRIP * (tile % row_tiles);
  let own = tile / row_tiles * SG + lane;
  let place = place_of(min(own, texels - 1u));
  let starts_0 = starts_of(row);
  let starts_1 = starts_of(row + STRIP);
  let starts_2 = starts_of(row + 2u * STRIP);
  var total_0 = Strip();
  var total_1 = Strip();
  var total_2 = Strip();
  for (var k = 0u; k < params.k; k += K_BLOCK) {
    let w = weights(place, k);
    let near = k + lane;
    let far = near + 8u;
    add_strip(&total_0, strip_block(rows_at(starts_0, near), rows_at(starts_0, far), w));
    if (row + STRIP < params.vectors) {
      add_strip(&total_1, strip_block(rows_at(starts_1, near), rows_at(starts_1, far), w));
    }
    if (row + 2u * STRIP < params.vectors) {
      add_strip(&total_2, strip_block(rows_at(starts_2, near), rows_at(starts_2, far), w));
    }
  }
  if (own >= texels) { return; }
  let first = 4u * own;
  let b = bias_of(first);
  store_strip(row, first, b, total_0);
  store_strip(row + STRIP, first, b, total_1);
  store_strip(row + 2u * STRIP, first, b, total_2);
}
