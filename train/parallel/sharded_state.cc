#include "train/parallel/sharded_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo::train {
namespace {

std::string TypeAndShape(const at::Tensor& tensor) {
  return absl::StrCat(at::toString(tensor.scalar_type()), " [", absl::StrJoin(tensor.sizes(), ", "),
                      "]");
}

}  // namespace

RangeReader ReadRangesOf(const TensorMap& tensors, TensorMap like) {
  return [&tensors, like = std::move(like)](const std::string& name, int64_t begin,
                                            int64_t end) -> absl::StatusOr<at::Tensor> {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer state: tensor \"", name, "\" is missing from the checkpoint"));
    }
    const at::Tensor &stored = found->second, &expected = like.at(name);
    if (stored.sizes() != expected.sizes() || stored.scalar_type() != expected.scalar_type()) {
      return absl::InvalidArgumentError(absl::StrCat("optimizer state: tensor \"", name, "\" is ",
                                                     TypeAndShape(stored), "; expected ",
                                                     TypeAndShape(expected)));
    }
    return stored.reshape({-1}).narrow(0, begin, end - begin);
  };
}

}  // namespace fpo::train
