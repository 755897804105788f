// An invocation for each word that is copied, whatever it holds; the width is in words.
struct Params { size: u32, source: u32, slot: u32, start: u32, count: u32, heads: u32, length: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> cache: array<u32>;

fn each(i: u32) {
  let perHead = params.count * params.width;
  let head = i / perHead;
  let rest = params.start * params.width + i % perHead;
  let plane = params.length * params.width;
  cache[(params.slot * params.heads + head) * plane + rest] =
    cache[(params.source * params.heads + head) * plane + rest];
}
