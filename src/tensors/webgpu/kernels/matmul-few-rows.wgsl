// out[m, n] = Σ over k of a[m, k] · b[n, k] for few rows m, as decoding has them: 16 lanes share a column n, go over its
// k together, PER of them at a time, and keep a sum for each row. Rows beyond ROWS are for other workgroups. Before this
// text come PER, `rightAt`, which is the elements of b that begin at one, and `productAt`, their product with those of a.
override BIAS: bool = false;

const ROWS = 4u;
const COLUMNS = 4u;
const SHARE = 16u;

struct Params { m: u32, n: u32, k: u32, startA: u32, startOut: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;

var<workgroup> parts: array<vec4f, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.n + COLUMNS - 1u) / COLUMNS;
  let first = flat(group, groups) / across * ROWS;
  if (first >= params.m) { return; }
  let n = flat(group, groups) % across * COLUMNS + lane / SHARE;
  let rows = min(ROWS, params.m - first);
  var sums = vec4f();
  if (n < params.n) {
    for (var k = PER * (lane % SHARE); k < params.k; k += PER * SHARE) {
      let right = rightAt(n * params.k + k);
      for (var i = 0u; i < rows; i++) {
        sums[i] += productAt(params.startA + (first + i) * params.k + k, right);
      }
    }
  }
  parts[lane] = sums;
  workgroupBarrier();
  for (var half = SHARE / 2u; half > 0u; half /= 2u) {
    if (lane % SHARE < half) { parts[lane] += parts[lane + half]; }
    workgroupBarrier();
  }
  let row = lane % SHARE;
  if (row < rows && n < params.n) {
    var value = parts[lane - row][row];
    if (BIAS) { value += bias[n]; }
    out[params.startOut + (first + row) * params.n + n] = value;
  }
}
