// A dispatch may hold 65,535 workgroups in one dimension: the host spreads longer ones over x and y.
fn linear_group(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}

// The batch rule: a tensor with fewer rows than its partner stands for its row 0 repeated.
fn row_of(row: u32, rows: u32) -> u32 {
  return select(0u, row, row < rows);
}
