// A workgroup for each row of logits [rows, vocabulary]: log softmax at its label, and in the place of the logits their
// share of the derivative: (1 at the label, else 0) − p, times the slope of the cap.
struct Params { rows: u32, vocabulary: u32, first: u32, softCap: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> logProbs: array<f32>;

fn capped(x: f32) -> f32 {
  if (params.softCap == 0.0) { return x; }
  return params.softCap * safeTanh(x / params.softCap);
}

fn each(row: u32, lane: u32) {
  let start = row * params.vocabulary;
  var top = -3.4e38;
  for (var i = lane; i < params.vocabulary; i += LANES) {
    top = max(top, capped(logits[start + i]));
  }
  top = largestOfLanes(lane, top);
  var sum = 0.0;
  for (var i = lane; i < params.vocabulary; i += LANES) {
    sum += exp(capped(logits[start + i]) - top);
  }
  let total = sumOfLanes(lane, sum);
  let label = labels[params.first + row];
  if (lane == 0u) {
    logProbs[params.first + row] = capped(logits[start + label]) - top - log(total);
  }
  // the label's logit is read before another lane writes there
  storageBarrier();
  for (var i = lane; i < params.vocabulary; i += LANES) {
    let value = capped(logits[start + i]);
    let share = select(0.0, 1.0, i == label) - exp(value - top) / total;
    var ratio = 0.0;
    if (params.softCap != 0.0) { ratio = value / params.softCap; }
    logits[start + i] = share * (1.0 - ratio * ratio);
  }
}
