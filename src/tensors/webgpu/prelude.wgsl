// What every program begins with.

/// Lanes of a workgroup in programs that go over rows or elements.
const LANES = 64u;

/// The number of a workgroup, when there were too many of them for one dimension.
fn flat(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}

/// Whether a number is infinite or none, by its bits: drivers may compute as if all numbers were finite.
fn isBroken(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}

/// tanh that does not overflow: drivers may compute it from exponentials. A clamp may lose what is no number.
fn safeTanh(x: f32) -> f32 {
  let isNan = (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
  return select(tanh(clamp(x, -15.0, 15.0)), x, isNan);
}

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}
