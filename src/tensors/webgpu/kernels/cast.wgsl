// Integers as floating-point numbers.
struct Params { size: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn each(i: u32) {
  out[i] = f32(x[i]);
}
