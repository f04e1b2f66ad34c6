#include "train/model/block.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "common/observe/work.h"
#include "train/model/mlp.h"
#include "train/model/self_attention.h"
#include "train/ops/rms_norm.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The list of BlockWeightNames: norms, projections in the order of LoraTarget, norms of the heads.
struct WeightPlaces {
  explicit WeightPlaces(const ModelFamily& family) : norms_outputs(family.norms_outputs) {}

  bool norms_outputs;
  int64_t norm_in = 0;
  int64_t norm_post_attention = 1;  // with norms_outputs
  int64_t norm_pre_mlp = norms_outputs ? 2 : 1;
  int64_t norm_post_mlp = 3;  // with norms_outputs
  int64_t projections = norms_outputs ? 4 : 2;
  int64_t q_norm = projections + kLoraTargets;
  int64_t k_norm = q_norm + 1;
};

// Keeps the context of a checkpointed block until its backward.
struct ContextHolder : torch::CustomClassHolder {
  explicit ContextHolder(const BlockContext& value) : context(value) {}
  BlockContext context;
};

at::Tensor Edited(const BlockContext& context, Site site, const at::Tensor& values) {
  const bool other = context.edit == nullptr || context.edit->tap.site != site;
  return other ? values : context.edit->apply(values);
}

struct CheckpointedBlock : torch::autograd::Function<CheckpointedBlock> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               at::TensorList weights, const BlockContext& block) {
    variable_list inputs = {x};
    inputs.insert(inputs.end(), weights.begin(), weights.end());
    context->save_for_backward(inputs);
    context->saved_data["block"] =
        c10::IValue::make_capsule(c10::make_intrusive<ContextHolder>(block));
    context->set_materialize_grads(false);
    const BlockResult result = RunBlock(x, weights, block);
    return {result.output, result.mlp_out, result.attn_z};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto holder = context->saved_data["block"].toCapsule();
    const BlockContext& block = static_cast<const ContextHolder&>(*holder).context;
    variable_list inputs, wanted;
    for (const at::Tensor& saved : context->get_saved_variables()) {
      const bool needed = context->needs_input_grad(inputs.size());
      inputs.push_back(saved.detach().set_requires_grad(needed));
      if (needed) wanted.push_back(inputs.back());
    }
    const at::AutoGradMode with_grad(true);
    const BlockResult result = RunBlock(inputs[0], at::TensorList(inputs).slice(1), block);
    variable_list outputs, output_grads;
    const at::Tensor* values[] = {&result.output, &result.mlp_out, &result.attn_z};
    for (size_t i = 0; i < grads.size(); ++i) {
      if (!grads[i].defined()) continue;
      outputs.push_back(*values[i]);
      output_grads.push_back(grads[i]);
    }
    const variable_list computed = torch::autograd::grad(
        outputs, wanted, output_grads, /*retain_graph=*/false, /*create_graph=*/false,
        /*allow_unused=*/true);
    variable_list input_grads;
    for (size_t i = 0, next = 0; i < inputs.size(); ++i) {
      input_grads.push_back(inputs[i].requires_grad() ? computed[next++] : at::Tensor());
    }
    input_grads.emplace_back();  // the context
    return input_grads;
  }
};

}  // namespace

std::vector<std::string> BlockWeightNames(const GemmaConfig& config) {
  // Without norms of outputs the second one is that before the MLP, whatever its name.
  std::vector<std::string> names = {"input_layernorm.weight", "post_attention_layernorm.weight"};
  if (config.family().norms_outputs) {
    names.emplace_back("pre_feedforward_layernorm.weight");
    names.emplace_back("post_feedforward_layernorm.weight");
  }
  for (const char* projection :
       {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
        "self_attn.o_proj.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight",
        "mlp.down_proj.weight"}) {
    names.emplace_back(projection);
  }
  if (config.qk_norm()) {
    names.emplace_back("self_attn.q_norm.weight");
    names.emplace_back("self_attn.k_norm.weight");
  }
  return names;
}

BlockResult RunBlock(const at::Tensor& x, at::TensorList weights, const BlockContext& context) {
  const GemmaConfig& config = *context.config;
  const WeightPlaces at(config.family());
  const auto norm = [&](const at::Tensor& value, int64_t weight) {
    return RmsNorm(value, weights[weight], config.norm());
  };
  const auto projection = [&](LoraTarget target) {
    const int64_t index = at.projections + static_cast<int64_t>(target);
    const int64_t place = context.lora == nullptr ? -1 : context.lora->Place(target);
    Projection made(weights[index]);
    if (!context.packed.empty()) made.packed = context.packed[static_cast<size_t>(index)];
    if (place < 0) return made;
    const at::TensorList adapter = weights.slice(BlockWeightNames(config).size());
    made.a = adapter[place];
    made.b = adapter[place + 1];
    made.scale = context.lora->scale();
    return made;
  };
  AttentionWeights attention = {
      projection(LoraTarget::kQ), projection(LoraTarget::kK), projection(LoraTarget::kV), {}, {}};
  if (config.qk_norm()) {
    attention.q_norm = weights[at.q_norm];
    attention.k_norm = weights[at.k_norm];
  }
  BlockResult result;
  result.attn_z = Edited(
      context, Site::kAttnZ,
      AttentionZ(norm(x, at.norm_in), attention, context.rope,
                 {config, config.sliding[context.layer], context.layout, context.kept_rows}));
  const at::Tensor attended = Project(result.attn_z, projection(LoraTarget::kO));
  const at::Tensor before = context.kept_rows ? x.index_select(1, context.layout->kept) : x;
  const at::Tensor middle =
      at.norms_outputs
          ? AddRmsNorm(before, attended, weights[at.norm_post_attention], config.norm())
          : before + attended;
  AdvanceWork(0);  // a block of many tokens may take seconds
  const MlpWeights mlp = {projection(LoraTarget::kGate), projection(LoraTarget::kUp),
                          projection(LoraTarget::kDown)};
  const at::Tensor made = Mlp(norm(middle, at.norm_pre_mlp), mlp, config.family().activation);
  result.mlp_out =
      Edited(context, Site::kMlpOut, at.norms_outputs ? norm(made, at.norm_post_mlp) : made);
  result.output = Edited(context, Site::kResidPost, middle + result.mlp_out);
  return result;
}

BlockResult RunBlockCheckpointed(const at::Tensor& x, at::TensorList weights,
                                 const BlockContext& context) {
  const variable_list values = CheckpointedBlock::apply(x, weights, context);
  return {values[0], values[1], values[2]};
}

}  // namespace fpo::train
