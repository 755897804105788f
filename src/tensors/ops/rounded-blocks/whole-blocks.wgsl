// An invocation for each number.
struct Params { size: u32, levels: i32, signed: u32, steps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn each(i: u32) {
  let code = i32(extractBits(words[i / 4u], 8u * (i % 4u), 8u));
  let negative = params.signed == 1u && code > 127;
  let size = select(code, 256 - code, negative);
  let value = scales[i / 256u] * exp2(f32(size - params.levels) / params.steps);
  out[i] = select(select(value, -value, negative), 0.0, code == 0);
}
