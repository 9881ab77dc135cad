// Where output n of a row lies: outputs are kept in planes of `plane` outputs, one after the other, each with all rows.
fn output_at(row: u32, n: u32) -> u32 {
  let plane = n / params.plane;
  return (plane * params.vectors + row) * params.plane + n - plane * params.plane;
}
