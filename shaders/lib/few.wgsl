// The order of a sum within a block of 16 where one invocation makes a product's column alone: that of strips
// (lib/strip.wgsl), one after another, or of the lane that makes the column in panels (lib/panel.wgsl).
//
// The kernel brings SG.

const K_BLOCK = 16u;

// The first of the four neighbours that are added first, second, third or fourth.
fn neighbours_at(column: u32, turn: u32) -> u32 {
  if (SG == 4u) { return 4u * ((column / 4u % 4u) ^ turn); }
  return 4u * turn;
}
