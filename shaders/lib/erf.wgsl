// erf(x) within 2 ulp of float32.
//
//   |x| <= 0.9:  x + x q(x^2);   else  sign(x) (1 - exp(-|x| - |x| p(|x|))),  which is 1 from 4 on
//
// Coefficients: fit-coefficients.py.
// use lib/exp.wgsl

fn erf(x: f32) -> f32 {
  let s = x * x;
  var q = fma(s, 7.954432e-05, -0.0008042254);
  q = fma(q, s, 0.0051919506);
  q = fma(q, s, -0.026855625);
  q = fma(q, s, 0.11283625);
  q = fma(q, s, -0.3761263);
  q = fma(q, s, 0.12837917);
  let near = fma(q, x, x);
  let t = min(abs(x), 4.0);
  var p = fma(t, -2.320718e-06, 3.696644e-05);
  p = fma(p, t, -0.00023444417);
  p = fma(p, t, 0.00057208585);
  p = fma(p, t, 0.0016802973);
  p = fma(p, t, -0.021101736);
  p = fma(p, t, 0.10405312);
  p = fma(p, t, 0.63614583);
  p = fma(p, t, 0.12845571);
  let far = sign(x) * (1.0 - exp_exact(-fma(p, t, t)));
  return select(far, near, abs(x) <= 0.9);
}
