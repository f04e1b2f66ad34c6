#include "train/cuda/cuda_check.h"

#include <ATen/ATen.h>

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/train/cuda/serial_table.h"

namespace fpo::train {
namespace {

std::set<std::string> Wrong(const CudaTable& table) {
  std::set<std::string> names;
  for (const KernelCheck& check : CheckCudaKernels(table, at::kCPU)) {
    if (!(check.error <= check.bound)) names.insert(check.name);
  }
  return names;
}

// Each with one fault of its own.
template <class Call>
const char* SetsNothing(const Call&, void*) {
  return nullptr;
}
const char* LeavesOutTheLastRow(const CudaGated& call, void* stream) {
  CudaGated shorter = call;
  --shorter.rows;
  return SerialCudaTable().gated(shorter, stream);
}
const char* TurnsBack(const CudaRope& call, void* stream) {
  CudaRope back = call;
  back.sign = -call.sign;
  return SerialCudaTable().rope(back, stream);
}
const char* SeesNoCap(const CudaLogits& call, void* stream) {
  CudaLogits uncapped = call;
  uncapped.cap = 0;
  return SerialCudaTable().logits(uncapped, stream);
}
const char* ForgetsTheScale(const CudaUpdate& call, const AdamStep& step, void* stream) {
  AdamStep other = step;
  other.gradient_scale = 1;
  return SerialCudaTable().adam(call, other, stream);
}

TEST(CudaCheck, PassesRightKernels) {
  const auto checks = CheckCudaKernels(SerialCudaTable(), at::kCPU);
  for (const KernelCheck& check : checks) {
    EXPECT_LE(check.error, check.bound) << check.name;
    EXPECT_GT(check.bound, 0);
  }
  std::set<std::string> names;
  for (const KernelCheck& check : checks) names.insert(check.name);
  EXPECT_THAT(names, ::testing::ElementsAre("adam", "clip", "geglu", "geglu_gradient", "kl",
                                            "logit_gradient", "logits", "nf4", "norm",
                                            "norm_gradient", "response_sums", "rms_prop", "rope",
                                            "row_sums", "squares", "swiglu", "swiglu_gradient"));
}

TEST(CudaCheck, FindsAFaultInEachKernel) {
  CudaTable table = SerialCudaTable();
  table.gated = LeavesOutTheLastRow;
  table.rope = TurnsBack;
  table.logits = SeesNoCap;
  table.adam = ForgetsTheScale;
  table.row_sums = SetsNothing<CudaRowSums>;
  EXPECT_THAT(Wrong(table),
              ::testing::IsSupersetOf({"geglu", "swiglu", "rope", "logits", "adam", "row_sums"}));
}

}  // namespace
}  // namespace fpo::train
