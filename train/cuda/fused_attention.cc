#include "train/cuda/fused_attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "train/cuda/cuda_library.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct FusedOptionsHolder : torch::CustomClassHolder {
  FusedOptionsHolder(const CudaTable& kernels, const FusedAttentionOptions& value)
      : table(kernels), options(value) {}
  const CudaTable& table;
  FusedAttentionOptions options;
};

at::Tensor OnDevice(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

// Lengths of the bucket's sequences, of which the last are empty.
at::Tensor LengthsOnDevice(const std::vector<int32_t>& lengths, int32_t sequences,
                           at::Device device) {
  std::vector<int32_t> all = lengths;
  all.resize(static_cast<size_t>(sequences), 0);
  return at::tensor(all, at::kInt).to(device);
}

at::Tensor Gathered(const at::Tensor& rows, const AttentionPlan& plan) {
  return plan.key_row.defined() ? rows.index_select(0, plan.key_row) : rows;
}

// What the copies of a row got is added to its own, in float32 and in their order.
at::Tensor Returned(const at::Tensor& grad, const AttentionPlan& plan) {
  if (!plan.own.defined()) return grad;
  const at::Tensor wide = grad.to(at::kFloat);
  const at::Tensor sum = wide.index_select(0, plan.own);
  for (const auto& [key, packed] : plan.copies) {
    sum.index_add_(0, packed, wide.index_select(0, key));  // each row once
  }
  return sum.to(grad.scalar_type());
}

struct FusedTensors {
  at::Tensor q, k, v;  // k and v gathered
  at::Tensor z, normalizer;
};
struct FusedGradients {
  at::Tensor q, k, v;
};

// cuDNN's, through libfpo_cuda.so.
class CudnnCall {
 public:
  CudnnCall(const CudaTable& table, const FusedAttentionOptions& options, const FusedTensors& in)
      : table_(*table.attention), plan_(*options.plan), in_(in) {
    const int64_t heads = in.q.size(1), kv_heads = in.k.size(1), head_dim = in.q.size(2);
    query_offsets_ = plan_.query_starts * (heads * head_dim);
    key_offsets_ = plan_.key_starts * (kv_heads * head_dim);
    normalizer_offsets_ = plan_.query_starts * heads;
    call_.shape = {plan_.bucket.sequences,
                   plan_.bucket.longest_query,
                   plan_.bucket.longest_key,
                   heads,
                   kv_heads,
                   head_dim,
                   static_cast<float>(options.scale),
                   static_cast<float>(options.softcap),
                   options.window};
    call_.q = in.q.const_data_ptr();
    call_.k = in.k.const_data_ptr();
    call_.v = in.v.const_data_ptr();
    call_.z = in.z.mutable_data_ptr();
    call_.normalizer = in.normalizer.mutable_data_ptr<float>();
    call_.query_lengths = plan_.query_lengths.const_data_ptr<int32_t>();
    call_.key_lengths = plan_.key_lengths.const_data_ptr<int32_t>();
    call_.query_offsets = query_offsets_.const_data_ptr<int64_t>();
    call_.key_offsets = key_offsets_.const_data_ptr<int64_t>();
    call_.normalizer_offsets = normalizer_offsets_.const_data_ptr<int64_t>();
    ThrowUnlessQueued(table_.prepare(call_.shape, &forward_bytes_, &backward_bytes_), "attention");
  }

  void Forward() {
    const at::Tensor workspace = Workspace(forward_bytes_);
    CallCuda(in_.q, "attention", table_.forward, call_);
  }
  FusedGradients Backward(const at::Tensor& grad_z) {
    const FusedGradients made = {at::empty_like(in_.q), at::empty_like(in_.k),
                                 at::empty_like(in_.v)};
    call_.grad_z = grad_z.const_data_ptr();
    call_.grad_q = made.q.mutable_data_ptr();
    call_.grad_k = made.k.mutable_data_ptr();
    call_.grad_v = made.v.mutable_data_ptr();
    const at::Tensor workspace = Workspace(backward_bytes_);
    CallCuda(in_.q, "attention_gradient", table_.backward, call_);
    return made;
  }

 private:
  at::Tensor Workspace(int64_t bytes) {
    const at::Tensor workspace = at::empty({bytes}, in_.q.options().dtype(at::kByte));
    call_.workspace = workspace.mutable_data_ptr();
    return workspace;
  }

  const CudaAttentionTable& table_;
  const AttentionPlan& plan_;
  const FusedTensors& in_;
  CudaAttention call_ = {};
  at::Tensor query_offsets_, key_offsets_, normalizer_offsets_;
  int64_t forward_bytes_ = 0, backward_bytes_ = 0;
};

// LibTorch's own: without a softcap, on a GPU.
struct FlashCall {
  const FusedAttentionOptions& options;

  at::Tensor Starts(const at::Tensor& rows, const std::vector<int32_t>& used) const {
    return rows.narrow(0, 0, static_cast<int64_t>(used.size()) + 1).to(at::kInt);
  }
  at::Tensor Queries() const {
    return Starts(options.plan->query_starts, options.plan->segments.queries);
  }
  at::Tensor Keys() const { return Starts(options.plan->key_starts, options.plan->segments.keys); }
  std::optional<int64_t> Left() const {
    return options.window > 0 ? std::optional<int64_t>(options.window - 1) : std::nullopt;
  }
  std::optional<int64_t> Right() const {
    return options.window > 0 ? std::optional<int64_t>(0) : std::nullopt;
  }

  // z, log-sum-exps, and the state of random numbers that backward asks for.
  variable_list Forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) const {
    const AttentionSegments& segments = options.plan->segments;
    const auto made = at::_flash_attention_forward(
        q, k, v, Queries(), Keys(), segments.longest_query, segments.longest_key,
        /*dropout_p=*/0, /*is_causal=*/true, /*return_debug_mask=*/false, options.scale, Left(),
        Right());
    return {std::get<0>(made), std::get<1>(made), std::get<2>(made), std::get<3>(made)};
  }
  FusedGradients Backward(const at::Tensor& grad, const variable_list& saved, const at::Tensor& k,
                          const at::Tensor& v) const {
    const AttentionSegments& segments = options.plan->segments;
    const auto made = at::_flash_attention_backward(
        grad, saved[0], k, v, saved[3], saved[4], Queries(), Keys(), segments.longest_query,
        segments.longest_key, /*dropout_p=*/0, /*is_causal=*/true, saved[5], saved[6],
        options.scale, Left(), Right());
    return {std::get<0>(made), std::get<1>(made), std::get<2>(made)};
  }
};

bool UsesFlash(const at::Tensor& q, const FusedAttentionOptions& options) {
  return q.is_cuda() && options.softcap == 0;
}

struct FusedAttentionFunction : torch::autograd::Function<FusedAttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const c10::intrusive_ptr<FusedOptionsHolder>& by) {
    const FusedAttentionOptions& options = by->options;
    const at::Tensor keys = Gathered(k, *options.plan), values = Gathered(v, *options.plan);
    variable_list saved = {q, k, v};
    if (UsesFlash(q, options)) {
      for (const at::Tensor& each : FlashCall{options}.Forward(q, keys, values)) {
        saved.push_back(each);
      }
    } else {
      const FusedTensors tensors = {
          q, keys, values, at::empty_like(q),
          at::empty({q.size(0), q.size(1)}, q.options().dtype(at::kFloat))};
      CudnnCall(by->table, options, tensors).Forward();
      saved.push_back(tensors.z);
      saved.push_back(tensors.normalizer);
    }
    context->save_for_backward(saved);
    context->saved_data["by"] = c10::IValue::make_capsule(by);
    return saved[3];
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto capsule = context->saved_data["by"].toCapsule();
    const auto& by = static_cast<const FusedOptionsHolder&>(*capsule);
    const AttentionPlan& plan = *by.options.plan;
    const at::Tensor keys = Gathered(saved[1], plan), values = Gathered(saved[2], plan);
    const at::Tensor grad = grads[0].contiguous();
    FusedGradients made;
    if (UsesFlash(saved[0], by.options)) {
      made = FlashCall{by.options}.Backward(grad, saved, keys, values);
    } else {
      const FusedTensors tensors = {saved[0], keys, values, saved[3], saved[4]};
      made = CudnnCall(by.table, by.options, tensors).Backward(grad);
    }
    return {made.q, Returned(made.k, plan), Returned(made.v, plan), at::Tensor()};
  }
};

}  // namespace

std::shared_ptr<const AttentionPlan> AttentionPlan::Of(const std::vector<AttentionRows>& groups,
                                                       at::Device device) {
  auto plan = std::make_shared<AttentionPlan>();
  plan->segments = AttentionSegments::Of(groups);
  const AttentionSegments& made = plan->segments;
  plan->bucket = AttentionBucket::For(made);
  const int32_t sequences = plan->bucket.sequences;
  plan->query_lengths = LengthsOnDevice(made.queries, sequences, device);
  plan->key_lengths = LengthsOnDevice(made.keys, sequences, device);
  plan->query_starts = OnDevice(OffsetsOf(made.queries, sequences, 1), device);
  plan->key_starts = OnDevice(OffsetsOf(made.keys, sequences, 1), device);
  if (made.key_row.empty()) return plan;
  plan->key_row = OnDevice(made.key_row, device);
  plan->own = OnDevice(made.own, device);
  for (const AttentionSegments::Copies& copies : made.copies) {
    plan->copies.emplace_back(OnDevice(copies.key, device), OnDevice(copies.packed, device));
  }
  return plan;
}

at::Tensor FusedAttention(const CudaTable& table, const AttentionInputs& in,
                          const FusedAttentionOptions& options) {
  const auto& [q, k, v] = in;
  const AttentionSegments& segments = options.plan->segments;
  const int64_t packed =
      segments.own.empty() ? segments.key_rows : static_cast<int64_t>(segments.own.size());
  TORCH_CHECK(q.scalar_type() == at::kBFloat16 && k.scalar_type() == at::kBFloat16 &&
                  v.scalar_type() == at::kBFloat16 && q.dim() == 3 && k.sizes() == v.sizes() &&
                  q.size(0) == segments.query_rows && k.size(0) == packed &&
                  q.size(2) == k.size(2) && q.size(1) % k.size(1) == 0,
              "FusedAttention: q ", q.sizes(), " ", q.scalar_type(), ", k ", k.sizes(), ", v ",
              v.sizes(), " for ", segments.query_rows, " queries and ", packed, " keys");
  TORCH_CHECK(q.size(2) % 8 == 0 && q.size(2) <= 256, "FusedAttention: head_dim ", q.size(2),
              "; it must be a multiple of 8, and 256 at most");
  TORCH_CHECK(UsesFlash(q, options) || table.attention != nullptr,
              "FusedAttention: libfpo_cuda.so was built without cuDNN's headers");
  return FusedAttentionFunction::apply(q.contiguous(), k.contiguous(), v.contiguous(),
                                       c10::make_intrusive<FusedOptionsHolder>(table, options));
}

std::string FusedAttentionProblem() {
  const std::string problem = CudaLibraryProblem();
  if (!problem.empty()) return problem;
  return CudaLibraryTable()->attention != nullptr
             ? ""
             : "libfpo_cuda.so was built without cuDNN's headers, which scripts/setup.sh --cuda "
               "fetches";
}

}  // namespace fpo::train
