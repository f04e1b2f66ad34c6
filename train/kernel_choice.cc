#include "train/kernel_choice.h"

#include "absl/strings/str_cat.h"
#include "train/cuda/cuda_check.h"
#include "train/cuda/fused_attention.h"
#include "train/events/exit_status.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {

absl::StatusOr<std::string> ChooseKernels(const KernelChoice& choice) {
  if (choice.plain) SetFastPaths(FastPaths::None());
  const bool compares = choice.device.is_cuda() && !choice.plain;
  const std::string problem = compares ? CudaKernelProblem(choice.device) : "";
  if (choice.fused_attention) {
    const std::string why = choice.device.is_cuda() ? FusedAttentionProblem() : "it needs a GPU";
    if (!why.empty()) {
      return FailWith(ExitCode::kDevice, absl::StrCat("--fused-attention: ", why));
    }
    FastPaths paths = ActiveFastPaths();
    paths.fused_attention = true;
    SetFastPaths(paths);
  }
  if (problem.empty()) return "";
  return absl::StrCat("LibTorch's operators alone compute on this GPU, which takes longer: ",
                      problem);
}

}  // namespace fpo::train
