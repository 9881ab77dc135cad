// Four matrices of 16 x 16 in a subgroup of 32 lanes, on the adapter's matrix units: float16 products, float32 sums.
// The kernel brings xs and ws, rows of STRIDE halves, and results.

alias Half = f16;
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = array<subgroup_matrix_result<f32, 16, 16>, 4>;

fn to_half(value: f32) -> Half { return f16(value); }

fn quarter_of(subgroup: u32, lane: u32) -> u32 { return subgroup; }

// sums += 32 rows of xs times 32 rows of ws, 16 inputs from x_at and w_at on.
fn multiply_add(sums: ptr<function, Sums>, x_at: u32, w_at: u32, lane: u32) {
  let a = subgroupMatrixLoad<Left, row_major>(&xs, x_at, STRIDE);
  let b = subgroupMatrixLoad<Left, row_major>(&xs, x_at + SIDE * STRIDE, STRIDE);
  let v = subgroupMatrixLoad<Right, col_major>(&ws, w_at, STRIDE);
  let w = subgroupMatrixLoad<Right, col_major>(&ws, w_at + SIDE * STRIDE, STRIDE);
  (*sums)[0] = subgroupMatrixMultiplyAccumulate(a, v, (*sums)[0]);
  (*sums)[1] = subgroupMatrixMultiplyAccumulate(a, w, (*sums)[1]);
  (*sums)[2] = subgroupMatrixMultiplyAccumulate(b, v, (*sums)[2]);
  (*sums)[3] = subgroupMatrixMultiplyAccumulate(b, w, (*sums)[3]);
}

fn put(sums: ptr<function, Sums>, part: u32, at: u32, lane: u32) {
  switch (part) {
    case 0u: { subgroupMatrixStore<row_major>(&results, at, (*sums)[0], SIDE); }
    case 1u: { subgroupMatrixStore<row_major>(&results, at, (*sums)[1], SIDE); }
    case 2u: { subgroupMatrixStore<row_major>(&results, at, (*sums)[2], SIDE); }
    default: { subgroupMatrixStore<row_major>(&results, at, (*sums)[3], SIDE); }
  }
}
