// What matrix.units.wgsl does, without such units: each of 32 lanes makes 8 of the 256 sums of a matrix. It shows that the
// kernel around it is right on adapters that have none; it is slow.

alias Half = f32;
alias Sums = array<f32, 32>;

fn to_half(value: f32) -> Half { return quantizeToF16(value); }

fn quarter_of(subgroup: u32, lane: u32) -> u32 { return lane / 32u; }

fn multiply_add(sums: ptr<function, Sums>, x_at: u32, w_at: u32, lane: u32) {
  for (var i = 0u; i < 32u; i++) {
    let part = i / 8u;
    let element = lane % 32u + 32u * (i % 8u);
    let x_row = x_at + (SIDE * (part / 2u) + element / SIDE) * STRIDE;
    let w_row = w_at + (SIDE * (part % 2u) + element % SIDE) * STRIDE;
    for (var k = 0u; k < SIDE; k++) { (*sums)[i] = fma(xs[x_row + k], ws[w_row + k], (*sums)[i]); }
  }
}

fn put(sums: ptr<function, Sums>, part: u32, at: u32, lane: u32) {
  for (var i = 0u; i < 8u; i++) { results[at + lane % 32u + 32u * i] = (*sums)[8u * part + i]; }
}
