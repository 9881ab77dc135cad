"""Makes the polynomial coefficients of exp.wgsl and erf.wgsl: weighted least squares at Chebyshev nodes, in float64,
rounded to float32 from the lowest order up, the rest refitted each time. Prints them and the worst relative error.
usage: python3 fit-coefficients.py   (needs numpy)"""
import math
import numpy as np

F = np.float32


def nodes(lo, hi, n=4001):
    return (lo + hi) / 2 + (hi - lo) / 2 * np.cos(np.pi * (np.arange(n) + 0.5) / n)


def fit(x, target, weight, degree):
    """c_0..c_degree with sum c_i x^i ~ target, as float32 numbers."""
    fixed = []
    for i in range(degree + 1):
        rest = target - sum(c * x**j for j, c in enumerate(fixed))
        basis = np.stack([x**j for j in range(i, degree + 1)], 1)
        w = weight.copy()
        for _ in range(30):  # iteratively reweighted: towards the minimax fit
            c, *_ = np.linalg.lstsq(basis * w[:, None], rest * w, rcond=None)
            e = np.abs((basis @ c - rest) * weight)
            w = w * (1 + e / e.max()) ** 0.5
            w /= w.max() / weight.max()
        fixed.append(float(F(c[0])))
    return fixed


def show(name, c, x, exact, value):
    print(name, [repr(F(v)) for v in c], "worst relative error %.2e" % np.max(np.abs(value / exact - 1)))


# exp(r) = 1 + r + r^2 (c0 + c1 r + ...), |r| <= ln(2)/2
x = nodes(-0.3466, 0.3466)
x = x[np.abs(x) > 1e-3]
e = np.exp(x)
c = fit(x, (np.expm1(x) - x) / x**2, x**2 / e, 4)
show("exp", c, x, e, 1 + x + x**2 * np.polyval(c[::-1], x))

# erf(x) = x + x q(x^2), |x| <= 0.9
x = nodes(1e-3, 0.9)
erf = np.array([math.erf(v) for v in x])
c = fit(x * x, erf / x - 1, x / erf, 6)
show("erf small", c, x, erf, x + x * np.polyval(c[::-1], x * x))

# erf(x) = 1 - exp(-x - x p(x)), 0.9 <= x <= 4
x = nodes(0.9, 4.0)
erfc = np.array([math.erfc(v) for v in x])
c = fit(x, -np.log(erfc) / x - 1, erfc * x, 8)
show("erf large", c, x, 1 - erfc, 1 - np.exp(-x - x * np.polyval(c[::-1], x)))
print("ln2 high", repr(F(0.693145751953125)), "low", repr(F(math.log(2) - 0.693145751953125)))
