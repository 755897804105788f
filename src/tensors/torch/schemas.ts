/**
 * The operations of ATen that we call, as native_functions.yaml writes them. The dispatcher checks neither the
 * number nor the types of arguments, and a wrong slot is memory corruption: so every call is encoded from this
 * table, and a test compares it with the file that comes with the installed torch.
 */
export const schemas = {
  _efficient_attention_backward:
    '_efficient_attention_backward(Tensor grad_out_, Tensor query, Tensor key, Tensor value, Tensor? bias, Tensor out, Tensor? cu_seqlens_q, Tensor? cu_seqlens_k, SymInt max_seqlen_q, SymInt max_seqlen_k, Tensor logsumexp, float dropout_p, Tensor philox_seed, Tensor philox_offset, int custom_mask_type, bool bias_requires_grad, *, float? scale=None, int? num_splits_key=None, int? window_size=None, bool shared_storage_dqdkdv=False) -> (Tensor, Tensor, Tensor, Tensor)',
  _efficient_attention_forward:
    '_efficient_attention_forward(Tensor query, Tensor key, Tensor value, Tensor? bias, Tensor? cu_seqlens_q, Tensor? cu_seqlens_k, SymInt? max_seqlen_q, SymInt? max_seqlen_k, float dropout_p, int custom_mask_type, bool compute_log_sumexp=False, *, float? scale=None, Tensor? seqlen_k=None, int? window_size=None) -> (Tensor output, Tensor logsumexp, Tensor philox_seed, Tensor philox_offset, SymInt max_seqlen_batch_q, SymInt max_seqlen_batch_k)',
  _embedding_bag_forward_only:
    '_embedding_bag_forward_only(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)',
  _flash_attention_backward:
    '_flash_attention_backward(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp, Tensor cum_seq_q, Tensor cum_seq_k, SymInt max_q, SymInt max_k, float dropout_p, bool is_causal, Tensor rng_state, Tensor unused, *, float? scale=None, SymInt? window_size_left=None, SymInt? window_size_right=None) -> (Tensor, Tensor, Tensor)',
  _flash_attention_forward:
    '_flash_attention_forward(Tensor query, Tensor key, Tensor value, Tensor? cum_seq_q, Tensor? cum_seq_k, SymInt max_q, SymInt max_k, float dropout_p, bool is_causal, bool return_debug_mask, *, float? scale=None, SymInt? window_size_left=None, SymInt? window_size_right=None, Tensor? seqused_k=None, Tensor? alibi_slopes=None) -> (Tensor output, Tensor softmax_logsumexp, Tensor rng_state, Tensor unused, Tensor debug_attn_mask)',
  _fused_adamw_:
    '_fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()',
  _fused_rms_norm:
    '_fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps) -> (Tensor, Tensor)',
  _fused_rms_norm_backward:
    '_fused_rms_norm_backward(Tensor grad_out, Tensor input, int[] normalized_shape, Tensor rstd, Tensor? weight, bool[2] output_mask) -> (Tensor, Tensor)',
  _log_softmax: '_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor',
  _scaled_dot_product_flash_attention_for_cpu:
    '_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float dropout_p=0.0, bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output, Tensor logsumexp)',
  _scaled_dot_product_flash_attention_for_cpu_backward:
    '_scaled_dot_product_flash_attention_for_cpu_backward(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp, float dropout_p, bool is_causal, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor grad_query, Tensor grad_key, Tensor grad_value)',
  _softmax: '_softmax(Tensor self, int dim, bool half_to_float) -> Tensor',
  _to_copy:
    '_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor',
  _weight_int8pack_mm: '_weight_int8pack_mm(Tensor self, Tensor mat2, Tensor scales) -> Tensor',
  abs: 'abs(Tensor self) -> Tensor',
  'all.dims': 'all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor',
  amax: 'amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor',
  amin: 'amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor',
  'any.dims': 'any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor',
  argmax: 'argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor',
  argmin: 'argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor',
  'bitwise_and_.Tensor': 'bitwise_and_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)',
  'bitwise_right_shift.Tensor': 'bitwise_right_shift.Tensor(Tensor self, Tensor other) -> Tensor',
  'bitwise_xor.Tensor': 'bitwise_xor.Tensor(Tensor self, Tensor other) -> Tensor',
  'bitwise_xor_.Tensor': 'bitwise_xor_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)',
  bmm: 'bmm(Tensor self, Tensor mat2) -> Tensor',
  cat: 'cat(Tensor[] tensors, int dim=0) -> Tensor',
  ceil: 'ceil(Tensor self) -> Tensor',
  cos: 'cos(Tensor self) -> Tensor',
  'div.Tensor': 'div.Tensor(Tensor self, Tensor other) -> Tensor',
  'div.Tensor_mode': 'div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor',
  dot: 'dot(Tensor self, Tensor tensor) -> Tensor',
  'eq.Tensor': 'eq.Tensor(Tensor self, Tensor other) -> Tensor',
  erf: 'erf(Tensor self) -> Tensor',
  exp: 'exp(Tensor self) -> Tensor',
  expm1: 'expm1(Tensor self) -> Tensor',
  flip: 'flip(Tensor self, int[] dims) -> Tensor',
  floor: 'floor(Tensor self) -> Tensor',
  gather: 'gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor',
  'ge.Tensor': 'ge.Tensor(Tensor self, Tensor other) -> Tensor',
  gelu: "gelu(Tensor self, *, str approximate='none') -> Tensor",
  gelu_backward: "gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor",
  'gt.Tensor': 'gt.Tensor(Tensor self, Tensor other) -> Tensor',
  index_put_:
    'index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor(a!)',
  index_select: 'index_select(Tensor self, int dim, Tensor index) -> Tensor',
  isnan: 'isnan(Tensor self) -> Tensor',
  'le.Tensor': 'le.Tensor(Tensor self, Tensor other) -> Tensor',
  linear: 'linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor',
  log: 'log(Tensor self) -> Tensor',
  log1p: 'log1p(Tensor self) -> Tensor',
  logical_and: 'logical_and(Tensor self, Tensor other) -> Tensor',
  logical_not: 'logical_not(Tensor self) -> Tensor',
  logical_or: 'logical_or(Tensor self, Tensor other) -> Tensor',
  logsumexp: 'logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor',
  'lt.Tensor': 'lt.Tensor(Tensor self, Tensor other) -> Tensor',
  'mkldnn::_reorder_linear_weight':
    'mkldnn::_reorder_linear_weight(Tensor self, int? batch_size=None) -> Tensor',
  matmul: 'matmul(Tensor self, Tensor other) -> Tensor',
  maximum: 'maximum(Tensor self, Tensor other) -> Tensor',
  'mean.dim': 'mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  minimum: 'minimum(Tensor self, Tensor other) -> Tensor',
  mm: 'mm(Tensor self, Tensor mat2) -> Tensor',
  'mul.Tensor': 'mul.Tensor(Tensor self, Tensor other) -> Tensor',
  'mul_.Tensor': 'mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)',
  'ne.Tensor': 'ne.Tensor(Tensor self, Tensor other) -> Tensor',
  neg: 'neg(Tensor self) -> Tensor',
  'pow.Tensor_Tensor': 'pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor',
  reciprocal: 'reciprocal(Tensor self) -> Tensor',
  relu: 'relu(Tensor self) -> Tensor',
  'remainder.Tensor': 'remainder.Tensor(Tensor self, Tensor other) -> Tensor',
  repeat: 'repeat(Tensor self, SymInt[] repeats) -> Tensor',
  rms_norm:
    'rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor',
  round: 'round(Tensor self) -> Tensor',
  rsqrt: 'rsqrt(Tensor self) -> Tensor',
  scaled_dot_product_attention:
    'scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor',
  'scatter_.src': 'scatter_.src(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)',
  sigmoid: 'sigmoid(Tensor self) -> Tensor',
  sign: 'sign(Tensor self) -> Tensor',
  silu: 'silu(Tensor self) -> Tensor',
  silu_backward: 'silu_backward(Tensor grad_output, Tensor self) -> Tensor',
  sin: 'sin(Tensor self) -> Tensor',
  sqrt: 'sqrt(Tensor self) -> Tensor',
  'sum.dim_IntList':
    'sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  tanh: 'tanh(Tensor self) -> Tensor',
  topk: 'topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)',
  'transpose.int': 'transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)',
  'where.self': 'where.self(Tensor condition, Tensor self, Tensor other) -> Tensor',
  'view.dtype': 'view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)',
} as const;

export type OperationName = keyof typeof schemas;

/** How one argument or result is encoded. */
export interface ValueType {
  /** `Tensor`, `int`, `float`, `bool`, `str`, `ScalarType`, … without marks of aliasing and size. */
  readonly type: string;
  /** An array of them. */
  readonly list: boolean;
  /** None is allowed. */
  readonly optional: boolean;
  /** The elements of the array may be None. */
  readonly optionalElements: boolean;
}

/** A schema, taken apart. */
export interface Schema {
  /** With its namespace, such as `aten::mm`. */
  readonly name: string;
  readonly overload: string;
  readonly arguments: readonly ValueType[];
  readonly returns: readonly ValueType[];
}

/** `Tensor(a!)[]`, `Tensor?[]`, `int[1]?`, `float?` → how it is encoded. */
function parseType(text: string): ValueType {
  const match = /^([A-Za-z]+)(?:\([^)]*\))?(\?)?(\[\d*\])?(\?)?$/.exec(text);
  if (!match) throw new Error(`torch: cannot read the type "${text}" of a schema`);
  const [, type, inner, list, outer] = match;
  const isList = list !== undefined;
  return {
    type: type === 'SymInt' ? 'int' : (type as string),
    list: isList,
    optional: isList ? outer !== undefined : inner !== undefined,
    optionalElements: isList && inner !== undefined,
  };
}

/** Reads a line of native_functions.yaml. */
export function parseSchema(text: string): Schema {
  const match = /^([\w:]+)(?:\.(\w+))?\((.*)\) -> (.*)$/.exec(text);
  if (!match) throw new Error(`torch: cannot read the schema "${text}"`);
  const [, name, overload = '', inside, returns] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  const parts = inside.split(/, (?![^[(]*[\])])/).filter((part) => part !== '' && part !== '*');
  const result = returns.startsWith('(') ? returns.slice(1, -1) : returns;
  return {
    name: name.includes('::') ? name : `aten::${name}`,
    overload,
    arguments: parts.map((part) => parseType(part.split(' ')[0] as string)),
    returns: result === '' ? [] : result.split(', ').map((part) => parseType(part.split(' ')[0] as string)),
  };
}
