#include "train/ops/packed_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

#include "train/cuda/fused_attention.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct PackedOptionsHolder : torch::CustomClassHolder {
  explicit PackedOptionsHolder(const PackedAttentionOptions& value) : options(value) {}
  PackedAttentionOptions options;
};

// A thread's tasks write rows that no other task writes, so their order changes nothing.
class AttentionTasks {
 public:
  AttentionTasks(const KernelSet& kernels, const at::Tensor& q, const at::Tensor& k,
                 const PackedAttentionOptions& options)
      : kernels_(kernels), layout_(*options.layout), kept_(options.kept_queries) {
    shape_ = {q.size(1),
              k.size(1),
              q.size(2),
              static_cast<float>(options.attention.scale),
              static_cast<float>(options.attention.softcap),
              options.attention.window};
    order_.resize(layout_.groups.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return Rows(a) > Rows(b); });
  }

  using Kernel = void (*)(const AttentionTask&, const AttentionTensors&);
  void Run(Kernel kernel, const AttentionTensors& tensors) const {
    int64_t floats = 0;
    for (size_t i = 0; i < order_.size(); ++i)
      floats = std::max(floats, kernels_.attention_scratch(shape_, Group(i)));
    const int64_t tasks = static_cast<int64_t>(order_.size()) * shape_.kv_heads;
    std::atomic<int64_t> next{0};
    at::parallel_for(0, std::min<int64_t>(tasks, at::get_num_threads()), 1, [&](int64_t, int64_t) {
      const at::Tensor scratch = at::empty({floats}, at::kFloat);
      for (int64_t task = next++; task < tasks; task = next++) {
        const auto group = order_[static_cast<size_t>(task / shape_.kv_heads)];
        kernel({shape_, Group(group), task % shape_.kv_heads, scratch.mutable_data_ptr<float>()},
               tensors);
      }
    });
  }

 private:
  AttentionGroup Group(size_t i) const {
    const PackedGroup& group = layout_.groups[i];
    return {layout_.first[i],
            group.prompt,
            group.responses.data(),
            static_cast<int64_t>(group.responses.size()),
            kept_ ? layout_.first_kept[i] : layout_.first[i],
            kept_ ? 1 : group.prompt};
  }
  int64_t Rows(size_t i) const {
    const std::vector<int64_t>& responses = layout_.groups[i].responses;
    return std::accumulate(responses.begin(), responses.end(), layout_.groups[i].prompt);
  }

  const KernelSet& kernels_;
  const PackedLayout& layout_;
  const bool kept_;
  AttentionShape shape_;
  std::vector<size_t> order_;  // longest first
};

struct PackedAttentionFunction : torch::autograd::Function<PackedAttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const PackedAttentionOptions& options) {
    at::Tensor z = at::empty(q.sizes(), q.options());
    at::Tensor normalizer = at::empty({q.size(0), q.size(1)}, q.options());
    const KernelSet& kernels = *KernelsOf(q);
    AttentionTasks(kernels, q, k, options)
        .Run(kernels.attention,
             {q.const_data_ptr<float>(), k.const_data_ptr<float>(), v.const_data_ptr<float>(),
              z.mutable_data_ptr<float>(), normalizer.mutable_data_ptr<float>(), nullptr, nullptr,
              nullptr, nullptr});
    context->save_for_backward({q, k, v, z, normalizer});
    context->saved_data["options"] =
        c10::IValue::make_capsule(c10::make_intrusive<PackedOptionsHolder>(options));
    return z;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto holder = context->saved_data["options"].toCapsule();
    const auto& options = static_cast<const PackedOptionsHolder&>(*holder).options;
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &z = saved[3];
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor grad_q = at::empty_like(q), grad_k = at::empty_like(k), grad_v = at::empty_like(v);
    TORCH_CHECK(KernelsOf(q) != nullptr, "PackedAttention: the kernels were turned off");
    const KernelSet& kernels = *KernelsOf(q);
    AttentionTasks(kernels, q, k, options)
        .Run(kernels.attention_gradient,
             {q.const_data_ptr<float>(), k.const_data_ptr<float>(), v.const_data_ptr<float>(),
              const_cast<float*>(z.const_data_ptr<float>()),
              const_cast<float*>(saved[4].const_data_ptr<float>()), grad.const_data_ptr<float>(),
              grad_q.mutable_data_ptr<float>(), grad_k.mutable_data_ptr<float>(),
              grad_v.mutable_data_ptr<float>()});
    return {grad_q, grad_k, grad_v, at::Tensor()};
  }
};

// Part by part, each as a batch of one.
at::Tensor Composed(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const PackedAttentionOptions& options) {
  std::vector<int64_t> sizes, query_sizes;
  for (const PackedGroup& group : options.layout->groups) {
    sizes.push_back(group.prompt);
    query_sizes.push_back(options.kept_queries ? 1 : group.prompt);
    for (std::vector<int64_t>* list : {&sizes, &query_sizes}) {
      list->insert(list->end(), group.responses.begin(), group.responses.end());
    }
  }
  const auto queries = q.split_with_sizes(query_sizes), keys = k.split_with_sizes(sizes);
  const auto values = v.split_with_sizes(sizes);
  const auto attend = [&](const at::Tensor& own, const at::Tensor& seen, const at::Tensor& read) {
    return CausalAttention(own.unsqueeze(0), seen.unsqueeze(0), read.unsqueeze(0),
                           options.attention)
        .squeeze(0);
  };
  std::vector<at::Tensor> parts;
  for (const PackedGroup& group : options.layout->groups) {
    const size_t prompt = parts.size();
    parts.push_back(attend(queries[prompt], keys[prompt], values[prompt]));
    for (size_t i = 0; i < group.responses.size(); ++i) {
      const size_t own = parts.size();
      parts.push_back(attend(queries[own], at::cat({keys[prompt], keys[own]}),
                             at::cat({values[prompt], values[own]})));
    }
  }
  return at::cat(parts);
}

// Made once, for all layers of a batch.
std::shared_ptr<const AttentionPlan> PlanOf(const PackedAttentionOptions& options,
                                            at::Device device) {
  std::shared_ptr<const AttentionPlan>& plan =
      options.kept_queries ? options.layout->plan_of_kept : options.layout->plan;
  if (plan != nullptr) return plan;
  std::vector<AttentionRows> groups;
  for (const PackedGroup& group : options.layout->groups) {
    groups.push_back({group.prompt, options.kept_queries ? 1 : group.prompt, group.responses});
  }
  return plan = AttentionPlan::Of(groups, device);
}

}  // namespace

at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const PackedAttentionOptions& options) {
  const PackedLayout& layout = *options.layout;
  TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && k.sizes() == v.sizes() && q.size(2) == k.size(2) &&
                  q.size(1) % k.size(1) == 0 && k.size(0) == layout.rows &&
                  q.size(0) == (options.kept_queries ? layout.kept_rows : layout.rows),
              "PackedAttention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes(), " for ",
              layout.rows, " rows, ", layout.kept_rows, " of them kept");
  if (const CudaTable* cuda = FusedAttentionOf(q)) {
    const AttentionOptions& attention = options.attention;
    return FusedAttention(
               *cuda, {q, k, v},
               {PlanOf(options, q.device()), attention.scale, attention.softcap, attention.window})
        .flatten(1);
  }
  const bool kernels =
      KernelsOf(q) != nullptr && KernelsOf(k) != nullptr && KernelsOf(v) != nullptr;
  if (!kernels) return Composed(q, k, v, options);
  return PackedAttentionFunction::apply(q.contiguous(), k.contiguous(), v.contiguous(), options)
      .flatten(1);
}

}  // namespace fpo::train
