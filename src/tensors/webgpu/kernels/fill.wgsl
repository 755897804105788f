// One word in all places.
struct Params { size: u32, value: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

fn each(i: u32) {
  out[i] = params.value;
}
