#include "train/optim/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "train/ops/fast_paths.h"
#include "train/ops/wide_type.h"
#include "train/optim/adam.h"
#include "train/optim/rms_prop.h"

namespace fpo::train {
namespace {

// "Float [4, 3]"
std::string Kind(const at::Tensor& tensor) {
  return absl::StrCat(at::toString(tensor.scalar_type()), " [", absl::StrJoin(tensor.sizes(), ", "),
                      "]");
}

absl::Status CheckStored(const TensorMap& stored, const std::string& name, const at::Tensor& like) {
  const auto found = stored.find(name);
  if (found == stored.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer state: tensor \"", name, "\" is missing from the checkpoint"));
  }
  if (found->second.sizes() != like.sizes() || found->second.scalar_type() != like.scalar_type()) {
    return absl::InvalidArgumentError(absl::StrCat("optimizer state: tensor \"", name, "\" is ",
                                                   Kind(found->second), "; expected ", Kind(like)));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> StoredStep(const TensorMap& state) {
  const auto found = state.find("step");
  if (found == state.end() || found->second.numel() != 1) {
    return absl::InvalidArgumentError("optimizer state: \"step\" is not one number");
  }
  const int64_t step = found->second.item<int64_t>();
  if (step < 0) {
    return absl::InvalidArgumentError(absl::StrCat("optimizer state: step is ", step));
  }
  return step;
}

}  // namespace

Optimizer::Optimizer(const NamedTensors& parameters) : parameters_(parameters) {
  for (const auto& [name, parameter] : parameters_) {
    masters_.push_back(parameter.detach().to(WideType(parameter)));  // no copy when already wide
  }
}

void Optimizer::AddMoment(const std::string& name) {
  moments_.push_back(name);
  std::vector<at::Tensor>& moment = state_.emplace_back();
  for (const at::Tensor& master : masters_) moment.push_back(at::zeros_like(master));
}

bool Optimizer::IsInRows(const std::vector<at::Tensor>& gradients) const {
  for (size_t i = 0; i < masters_.size(); ++i) {
    bool fits = masters_[i].is_contiguous() && gradients[i].is_contiguous() &&
                parameters_[i].second.is_contiguous();
    for (const std::vector<at::Tensor>& moment : state_) fits = fits && moment[i].is_contiguous();
    if (!fits) return false;
  }
  return true;
}

// False, with nothing changed, unless the kernels can move every parameter. Rounds them as well.
bool Optimizer::StepByCuda(const std::vector<at::Tensor>& gradients, const Pace& pace) {
  for (const at::Tensor& master : masters_) {
    if (CudaKernelsOf(master) == nullptr) return false;
  }
  if (!IsInRows(gradients)) return false;
  for (size_t i = 0; i < masters_.size(); ++i) {
    const at::Tensor parameter = parameters_[i].second.detach();
    const bool rounds = parameter.scalar_type() == at::kBFloat16;
    CudaUpdate update = {};
    update.span = {masters_[i].mutable_data_ptr<float>(),
                   state_.front()[i].mutable_data_ptr<float>(),
                   state_.back()[i].mutable_data_ptr<float>(), gradients[i].const_data_ptr<float>(),
                   masters_[i].numel()};
    if (rounds) update.rounded = static_cast<uint16_t*>(parameter.mutable_data_ptr());
    UpdateByCuda(*CudaKernelsOf(masters_[i]), update, pace, masters_[i]);
    if (!rounds && parameter.scalar_type() != at::kFloat) parameter.copy_(masters_[i]);
  }
  return true;
}

// False, with nothing changed, unless the kernels can move every parameter.
bool Optimizer::StepByKernels(const std::vector<at::Tensor>& gradients, const Pace& pace) {
  for (const at::Tensor& master : masters_) {
    if (KernelsOf(master) == nullptr) return false;
  }
  if (!IsInRows(gradients)) return false;
  constexpr int64_t kBlock = 1 << 14;
  for (size_t i = 0; i < masters_.size(); ++i) {
    const KernelSet& kernels = *KernelsOf(masters_[i]);
    const int64_t count = masters_[i].numel();
    float* const weight = masters_[i].mutable_data_ptr<float>();
    const float* const gradient = gradients[i].const_data_ptr<float>();
    float* const last = state_.back()[i].mutable_data_ptr<float>();
    float* const first = state_.front()[i].mutable_data_ptr<float>();
    at::parallel_for(0, (count + kBlock - 1) / kBlock, 4, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin * kBlock; at < std::min(count, end * kBlock); at += kBlock) {
        UpdateByKernels(
            kernels,
            {weight + at, first + at, last + at, gradient + at, std::min(kBlock, count - at)},
            pace);
      }
    });
  }
  return true;
}

void Optimizer::Step(const std::vector<at::Tensor>& gradients, double lr, double scale) {
  TORCH_CHECK(gradients.size() == masters_.size(), "Optimizer::Step: ", gradients.size(),
              " gradients for ", masters_.size(), " parameters");
  for (size_t i = 0; i < gradients.size(); ++i) {
    TORCH_CHECK(gradients[i].sizes() == masters_[i].sizes() &&
                    gradients[i].scalar_type() == masters_[i].scalar_type(),
                "Optimizer::Step: the gradient of ", parameters_[i].first, " is ",
                Kind(gradients[i]), ", expected ", Kind(masters_[i]));
  }
  const at::NoGradGuard no_grad;
  ++step_;
  if (masters_.empty()) return;  // a rank whose ranges are all empty
  if (StepByCuda(gradients, {lr, scale})) return;
  if (!StepByKernels(gradients, {lr, scale})) {
    if (scale != 1) {
      for (const at::Tensor& gradient : gradients) gradient.mul_(scale);
    }
    Update(gradients, lr);
  }
  RoundParameters();
}

void Optimizer::RoundParameters() {
  for (size_t i = 0; i < masters_.size(); ++i) {
    const at::Tensor parameter = parameters_[i].second.detach();
    if (parameter.scalar_type() != masters_[i].scalar_type()) parameter.copy_(masters_[i]);
  }
}

absl::Status Optimizer::ChangeMasters(
    const std::function<absl::Status(const std::string& name, const at::Tensor& master)>& change) {
  for (const auto& [name, master] : Masters()) FPO_RETURN_IF_ERROR(change(name, master));
  RoundParameters();
  return absl::OkStatus();
}

NamedTensors Optimizer::Masters() const {
  NamedTensors result;
  for (size_t i = 0; i < masters_.size(); ++i) {
    result.emplace_back(parameters_[i].first, masters_[i]);
  }
  return result;
}

NamedTensors Optimizer::State() const {
  NamedTensors result;
  result.emplace_back("step", at::scalar_tensor(step_, at::kLong));
  for (size_t moment = 0; moment < moments_.size(); ++moment) {
    for (size_t i = 0; i < masters_.size(); ++i) {
      result.emplace_back(absl::StrCat(parameters_[i].first, ".", moments_[moment]),
                          state_[moment][i]);
    }
  }
  return result;
}

absl::Status Optimizer::Restore(const TensorMap& masters, const TensorMap& state) {
  const NamedTensors own_masters = Masters(), own_state = State();
  for (const auto& [name, tensor] : own_masters) {
    FPO_RETURN_IF_ERROR(CheckStored(masters, name, tensor));
  }
  for (const auto& [name, tensor] : own_state) {
    if (name != "step") FPO_RETURN_IF_ERROR(CheckStored(state, name, tensor));
  }
  FPO_ASSIGN_OR_RETURN(step_, StoredStep(state));
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own_masters) tensor.copy_(masters.at(name));
  for (const auto& [name, tensor] : own_state) {
    if (name != "step") tensor.copy_(state.at(name));
  }
  RoundParameters();
  return absl::OkStatus();
}

void Optimizer::Restored(int64_t step) {
  const at::NoGradGuard no_grad;
  step_ = step;
  RoundParameters();
}

absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(absl::string_view name,
                                                         const NamedTensors& parameters,
                                                         const OptimizerOptions& options) {
  std::unique_ptr<Optimizer> optimizer;
  if (name == "adam" || name == "adamw") {
    optimizer = std::make_unique<Adam>(parameters, options, /*decoupled=*/name == "adamw");
  } else if (name == "rmsprop") {
    optimizer = std::make_unique<RmsProp>(parameters, options);
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer.name is \"", name, "\"; allowed are adam, adamw and rmsprop"));
  }
  return optimizer;
}

}  // namespace fpo::train
