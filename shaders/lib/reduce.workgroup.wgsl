// Sums and maxima over a workgroup by a tree in workgroup memory: needs no subgroups. WG is a power of two.

var<workgroup> tree: array<f32, WG>;
var<workgroup> index_tree: array<u32, WG>;

fn group_sum(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let total = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return total;
}

fn group_max(value: f32, lane: u32) -> f32 {
  tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] = max(tree[lane], tree[lane + half]); }
  }
  let largest = workgroupUniformLoad(&tree[0]);
  workgroupBarrier();
  return largest;
}

fn group_min_index(value: u32, lane: u32) -> u32 {
  index_tree[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { index_tree[lane] = min(index_tree[lane], index_tree[lane + half]); }
  }
  let smallest = workgroupUniformLoad(&index_tree[0]);
  workgroupBarrier();
  return smallest;
}
