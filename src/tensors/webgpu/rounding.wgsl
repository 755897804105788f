// Numbers rounded to two bytes: to nearest, ties to even, by their bits, because a driver may round `pack2x16float` as
// it likes.
override BFLOAT16: bool = false;

fn asBfloat16(bits: u32) -> u32 {
  let isNan = (bits & 0x7fffffffu) > 0x7f800000u;
  return select((bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u, 0x7fc0u, isNan);
}

fn asFloat16(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0x7e00u; }
  // from 65520 on
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }
  // below 2^-14 numbers are multiples of 2^-24
  if (magnitude < 0x38800000u) { return sign | u32(round(bitcast<f32>(magnitude) * 16777216.0)); }
  return sign | ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u);
}

/// The bits of a number of float32, rounded.
fn halfOf(bits: u32) -> u32 {
  return select(asFloat16(bits), asBfloat16(bits), BFLOAT16);
}
