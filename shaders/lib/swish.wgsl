// x sigmoid(s) with the exponential of a negative number only, so that nothing overflows.
// use lib/exp.wgsl

fn times_sigmoid(x: f32, s: f32) -> f32 {
  let e = exp_exact(-abs(s));
  return select(x, x * e, s < 0.0) / (1.0 + e);
}
