// Matrix product with bias for software adapters of 8 lanes, large matrices: y = x W^T + b, weights in float32
//
//   x [vectors, k]   W [n, k] as a texture (lib/weight-rows.wgsl)   b [n]   y [vectors, n]
//
// One workgroup is one subgroup and makes 36 rows times 8 SG columns, 3 rows at a time (lib/strip.wgsl).
//
// use lib/matmul-strips.wgsl
// use lib/strips-float.wgsl

const STRIPS = 12u;
