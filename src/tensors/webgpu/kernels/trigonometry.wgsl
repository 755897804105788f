// Sine and cosine to float32's accuracy: WGSL promises 2⁻¹¹, and positions of tokens are angles.
override COSINE: bool = false;

struct Params { size: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

/// π / 2 as three numbers, of which the first two have zeros at their ends: their multiples are exact.
const HALF_PI = vec3f(1.5703125, 4.8375129699707031e-4, 7.5497899548918861e-8);

fn each(i: u32) {
  let value = x[i];
  let turns = round(value / 1.5707963267948966);
  let angle = ((value - turns * HALF_PI.x) - turns * HALF_PI.y) - turns * HALF_PI.z;
  let square = angle * angle;
  let sine = angle + angle * square * (-1.6666654611e-1 + square * (8.3321608736e-3 - square * 1.9515295891e-4));
  let cosine = 1.0 - 0.5 * square +
    square * square * (4.166664568298827e-2 + square * (-1.388731625493765e-3 + square * 2.443315711809948e-5));
  let quarter = (i32(turns) + select(0, 1, COSINE)) & 3;
  let result = select(sine, cosine, (quarter & 1) == 1);
  out[i] = select(result, -result, (quarter & 2) == 2);
}
