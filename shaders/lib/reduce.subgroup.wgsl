// Sums and maxima over a workgroup that is one subgroup: no barrier, no workgroup memory.
// For software adapters, where a barrier costs more than the sum.

fn group_sum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }

fn group_max(value: f32, lane: u32) -> f32 { return subgroupMax(value); }

fn group_min_index(value: u32, lane: u32) -> u32 { return subgroupMin(value); }
