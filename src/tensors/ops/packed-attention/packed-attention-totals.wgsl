// For each query and head, what its gradients need of the forward pass: its log-sum-exp, and Σ dy · out.
struct Params { size: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(4) var<storage, read_write> totals: array<vec2f>;

fn each(row: u32) {
  var sum = 0.0;
  for (var d = 0u; d < params.width; d++) {
    sum += dy[row * params.width + d] * out[row * params.width + d];
  }
  totals[row] = vec2f(logSumExp[row], sum);
}
