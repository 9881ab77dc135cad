// How many multiply-adds the adapter can do when nothing else stands in the way: chains in registers, no memory.
//
//   y [invocations]
//
// Independent chains of vec4f, so that one need not wait for another: 3, 6 or 8 (CHAINS) of them, ROUNDS x 8 long and written
// out, because on software adapters a loop costs more than what is in it. The values stay near 1.

override WG: u32;
override ROUNDS: u32;
override CHAINS: u32;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = id.x * WG + lane;
  let m = vec4f(0.9999, 0.9998, 0.9997, 0.9996) + f32(lane) * 1e-6;
  let b = vec4f(1.0) - m;
  var c0 = vec4f(f32(i) + 0.0);
  var c1 = vec4f(f32(i) + 1.0);
  var c2 = vec4f(f32(i) + 2.0);
  var c3 = vec4f(f32(i) + 3.0);
  var c4 = vec4f(f32(i) + 4.0);
  var c5 = vec4f(f32(i) + 5.0);
  var c6 = vec4f(f32(i) + 6.0);
  var c7 = vec4f(f32(i) + 7.0);
  for (var round = 0u; round < ROUNDS; round++) {
    if (CHAINS == 3u) {
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b);
    } else if (CHAINS == 6u) {
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b);
    } else {
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
      c0 = fma(c0, m, b); c1 = fma(c1, m, b); c2 = fma(c2, m, b); c3 = fma(c3, m, b); c4 = fma(c4, m, b); c5 = fma(c5, m, b); c6 = fma(c6, m, b); c7 = fma(c7, m, b);
    }
  }
  let sum = ((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7));
  y[i] = sum.x + sum.y + sum.z + sum.w;
}
