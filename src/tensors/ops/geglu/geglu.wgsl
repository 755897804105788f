const ROOT = 0.7978845608028654; // √(2 / π)
const CUBIC = 0.044715;

fn activation(x: f32) -> f32 {
  return 0.5 * x * (1.0 + safeTanh(ROOT * (x + CUBIC * x * x * x)));
}

fn slope(x: f32) -> f32 {
  let t = safeTanh(ROOT * (x + CUBIC * x * x * x));
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * ROOT * (1.0 + 3.0 * CUBIC * x * x);
}
