// exp(x) within 1 ulp of float32 on every adapter; the built-in is off by more on some of them.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2 in two steps,  |r| <= ln 2 / 2
//
// Below -87 the result is 0 (no subnormal numbers), above 88.72 it is not needed here.
// Coefficients: fit-coefficients.py.
fn exp_exact(x: f32) -> f32 {
  let n = round(max(x, -87.0) * 1.44269504);
  let r = fma(n, -1.4286068e-6, fma(n, -0.69314575, max(x, -87.0)));
  var p = fma(r, 0.0013821025, 0.00836867);
  p = fma(p, r, 0.041668262);
  p = fma(p, r, 0.16666521);
  p = fma(p, r, 0.49999994);
  let e = fma(r * r, p, r) + 1.0;
  let scaled = bitcast<f32>(bitcast<u32>(e) + (bitcast<u32>(i32(n)) << 23u));
  return select(scaled, 0.0, x < -87.0);
}
