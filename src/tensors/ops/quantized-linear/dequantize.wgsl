// An invocation for each word of four integers.
struct Params { size: u32, columns: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<i32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

fn each(i: u32) {
  out[i] = vec4f(unpack4xI8(u32(words[i]))) * scales[i / params.columns];
}
