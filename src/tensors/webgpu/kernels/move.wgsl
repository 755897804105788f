// Moves elements of four bytes as they are: an invocation for each place of `shape`, which is read and written at the
// sum of its coordinates times strides. One dimension may be looked up in a list, as rows by their numbers are.
override LOOKED_UP: bool = false;

struct Params {
  size: u32,
  rank: u32,
  /// The elements of the first place.
  firstRead: u32,
  firstWritten: u32,
  /// Strides are negative where a dimension is reversed: numbers wrap around.
  shape: array<vec4u, 2>,
  reads: array<vec4u, 2>,
  writes: array<vec4u, 2>,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

fn each(i: u32) {
  var rest = i;
  var source = params.firstRead;
  var place = params.firstWritten;
  for (var d = params.rank - 1u; d > 0u; d--) {
    let length = params.shape[d / 4u][d % 4u];
    let coordinate = rest % length;
    rest /= length;
    place += coordinate * params.writes[d / 4u][d % 4u];
    source += select(coordinate, list[coordinate], LOOKED_UP && d == 1u) * params.reads[d / 4u][d % 4u];
  }
  out[place + rest * params.writes[0].x] = x[source + rest * params.reads[0].x];
}
