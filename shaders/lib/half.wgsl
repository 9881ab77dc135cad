// Two float16 numbers out of a word. WGSL lets unpack2x16float flush subnormal numbers to zero; HALF_FLUSHES says
// that this adapter does (the start-up test found out), and then they are built from their bits: m * 2^-24.

override HALF_FLUSHES: bool = false;

fn open_half(bits: u32) -> vec2f {
  let plain = unpack2x16float(bits);
  if (!HALF_FLUSHES) { return plain; }
  let h = vec2u(bits & 0xffffu, bits >> 16u);
  let tiny = vec2f(h & vec2u(0x3ffu)) * 5.9604645e-8 * select(vec2f(1.0), vec2f(-1.0), (h & vec2u(0x8000u)) != vec2u(0u));
  return select(plain, tiny, (h & vec2u(0x7c00u)) == vec2u(0u));
}
