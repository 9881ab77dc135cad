// Where keys and values lie: [prefix | rows x (sources - prefix)] vectors of heads / group heads of dim.
//
// The first `prefix` sources are the same for all rows. `group` query heads share a head of the memory. The order of the
// sources is one and the same wherever the prefix ends, so sums over them have the same bits.

fn memory_of(row: u32, source: u32, head: u32) -> u32 {
  let own = select(row * (params.sources - params.prefix), 0u, source < params.prefix);
  return ((own + source) * (params.heads / params.group) + head / params.group) * params.dim;
}
