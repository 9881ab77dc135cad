// Blocks of weights in float32 for a matrix product in strips (strip.wgsl).
//
// use lib/rows-float.wgsl

fn weights(place: vec2u, k: u32) -> Weights {
  return weights_of(four(place, k), four(place, k + 4u), four(place, k + 8u), four(place, k + 12u));
}

fn prepare(lane: u32) {}
