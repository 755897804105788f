// Numbers as unsigned integers of the same order.
fn orderOfFloat(x: f32) -> u32 {
  // 0 and -0 are equal
  let bits = select(bitcast<u32>(x), 0u, x == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn orderOfInteger(x: i32) -> u32 {
  return bitcast<u32>(x) ^ 0x80000000u;
}
