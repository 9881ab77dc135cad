// Where the sixteen queries of an attention tile start (tile.wgsl); mix-frame.wgsl and scores-frame.wgsl say where
// one does.

fn starts_of(first: u32, query: u32, head: u32) -> Starts {
  return Starts(
    vec4u(start(first, query + 0u, head), start(first, query + 1u, head), start(first, query + 2u, head), start(first, query + 3u, head)),
    vec4u(start(first, query + 4u, head), start(first, query + 5u, head), start(first, query + 6u, head), start(first, query + 7u, head)),
    vec4u(start(first, query + 8u, head), start(first, query + 9u, head), start(first, query + 10u, head), start(first, query + 11u, head)),
    vec4u(start(first, query + 12u, head), start(first, query + 13u, head), start(first, query + 14u, head), start(first, query + 15u, head)),
  );
}
