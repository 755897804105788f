// What every program begins with.

/// Lanes of a workgroup in programs that go over rows or elements.
const LANES = 64u;

/// The number of a workgroup, when there were too many of them for one dimension.
fn flat(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}

/// tanh that does not overflow: drivers may compute it from exponentials.
fn safeTanh(x: f32) -> f32 {
  return tanh(clamp(x, -15.0, 15.0));
}

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}
