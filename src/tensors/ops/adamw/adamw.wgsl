struct Params {
  size: u32,
  /// 1 − lr · weightDecay
  kept: f32,
  /// lr / (1 − beta1^step)
  rate: f32,
  /// √(1 − beta2^step)
  root: f32,
  beta1: f32,
  /// 1 − beta1, from the host's wider numbers
  rest1: f32,
  beta2: f32,
  rest2: f32,
  epsilon: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> first: array<f32>;
@group(0) @binding(4) var<storage, read_write> second: array<f32>;

fn each(i: u32) {
  let g = gradient[i];
  let m = params.beta1 * first[i] + params.rest1 * g;
  let v = params.beta2 * second[i] + params.rest2 * g * g;
  first[i] = m;
  second[i] = v;
  parameter[i] = params.kept * parameter[i] - params.rate * (m / (sqrt(v) / params.root + params.epsilon));
}
