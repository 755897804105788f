// One of two words, by a condition that stands for `inner` neighbours.
struct Params { size: u32, inner: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<u32>;
@group(0) @binding(2) var<storage, read> chosen: array<u32>;
@group(0) @binding(3) var<storage, read> other: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;

fn each(i: u32) {
  if (condition[i / params.inner] != 0u) { out[i] = chosen[i]; } else { out[i] = other[i]; }
}
