// activation(gate) · up and its gradients, element by element; `activation` and `slope` come before this text.
struct Params { size: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate: array<f32>;
@group(0) @binding(2) var<storage, read> up: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> upGradient: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;

fn forward(i: u32) {
  out[i] = activation(gate[i]) * up[i];
}

fn backward(i: u32) {
  out[i] = dy[i] * up[i] * slope(gate[i]);
  upGradient[i] = dy[i] * activation(gate[i]);
}
