// Element i of variable #. `kept` is 1 − lr · weightDecay, `rate` lr / (1 − beta1^step), `root` √(1 − beta2^step), and
// `rest1` and `rest2` are 1 − beta1 and 1 − beta2.
let g = gradient#[i];
let m = params.beta1 * first#[i] + params.rest1 * g;
let v = params.beta2 * second#[i] + params.rest2 * g * g;
first#[i] = m;
second#[i] = v;
parameter#[i] = params.kept * parameter#[i] - params.rate * (m / (sqrt(v) / params.root + params.epsilon));
