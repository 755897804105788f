// A workgroup for each block of 256 numbers: its largest, then a word of four codes for each lane.
struct Params { rows: u32, size: u32, levels: i32, signed: u32, steps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;

fn code(value: f32, largest: f32) -> u32 {
  if (value == 0.0) { return 0u; }
  let step = params.levels + i32(floor(params.steps * log2(abs(value) / largest) + 0.5));
  let size = u32(max(step, select(1, 0, params.signed == 1u)));
  return select(size, (256u - size) & 255u, value < 0.0);
}

fn each(block: u32, lane: u32) {
  let start = block * 256u + lane * 4u;
  var values = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (start + i < params.size) { values[i] = x[start + i]; }
  }
  let own = abs(values);
  let largest = largestOfLanes(lane, max(max(own.x, own.y), max(own.z, own.w)));
  var word = 0u;
  for (var i = 0u; i < 4u; i++) {
    word |= code(values[i], largest) << (8u * i);
  }
  words[block * 64u + lane] = word;
  if (lane == 0u) { scales[block] = largest; }
}
