// exp(x) within 8e-8 of itself on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Written so that lavapipe, which reorders sums and nested fma, keeps the order: n times the larger part of ln 2 is exact.
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let bounded = max(x, -87.0);
  let n = round(bounded * 1.44269504);
  let r = (bounded - n * 0.69314575) - n * 1.4286068e-6;
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = 1.0 - (-r - r * r * p);
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}
