// An invocation for each pair of columns (i, i + half) of a head.
override INVERSE: bool = false;

struct Params { size: u32, heads: u32, half: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> cosines: array<f32>;
@group(0) @binding(3) var<storage, read> sines: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn each(i: u32) {
  let column = i % params.half;
  let head = i / params.half;
  let angle = (head / params.heads) * params.half + column;
  let at = head * 2u * params.half + column;
  let a = x[at];
  let b = x[at + params.half];
  let sine = select(sines[angle], -sines[angle], INVERSE);
  out[at] = a * cosines[angle] - b * sine;
  out[at + params.half] = b * cosines[angle] + a * sine;
}
