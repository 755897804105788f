// What every program begins with.

/// Lanes of a workgroup in programs that go over rows or elements.
const LANES = 64u;

/// The number of a workgroup, when there were too many of them for one dimension.
fn flat(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}

var<workgroup> lanes: array<f32, LANES>;

/// The sum of a value over the lanes of a workgroup, in an order that never changes.
fn sumOfLanes(lane: u32, value: f32) -> f32 {
  lanes[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] += lanes[lane + half];
    }
    workgroupBarrier();
  }
  let total = lanes[0];
  workgroupBarrier();
  return total;
}

/// The largest value of the lanes of a workgroup.
fn largestOfLanes(lane: u32, value: f32) -> f32 {
  lanes[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] = max(lanes[lane], lanes[lane + half]);
    }
    workgroupBarrier();
  }
  let largest = lanes[0];
  workgroupBarrier();
  return largest;
}

/// tanh that does not overflow: drivers may compute it from exponentials.
fn safeTanh(x: f32) -> f32 {
  return tanh(clamp(x, -15.0, 15.0));
}

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}
