#include "train/loss/pair_loss.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

struct PairLossRow {
  PairLossKind kind;
  const char* name;
};

constexpr PairLossRow kPairLosses[] = {
    {PairLossKind::kSigmoid, "sigmoid"},
    {PairLossKind::kHinge, "hinge"},
    {PairLossKind::kIpo, "ipo"},
    {PairLossKind::kRobust, "robust"},
};

at::Tensor Sigmoid(const at::Tensor& u, double label_smoothing) {
  const at::Tensor loss = at::log_sigmoid(u) * (label_smoothing - 1);
  return label_smoothing == 0 ? loss : loss - at::log_sigmoid(-u) * label_smoothing;
}

// The loss of true labels, in expectation over labels of which a share epsilon is flipped.
at::Tensor Robust(const at::Tensor& u, double label_smoothing) {
  const at::Tensor clean = at::log_sigmoid(u) * (label_smoothing - 1);
  const at::Tensor flipped = at::log_sigmoid(-u) * -label_smoothing;
  return (clean - flipped) / (1 - 2 * label_smoothing);
}

}  // namespace

absl::StatusOr<PairLossKind> ParsePairLoss(absl::string_view name) {
  std::string names;
  for (const PairLossRow& row : kPairLosses) {
    if (name == row.name) return row.kind;
    absl::StrAppend(&names, names.empty() ? "" : ", ", row.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("method.loss is \"", name, "\"; allowed are ", names));
}

at::Tensor LossOfMargin(const at::Tensor& u, const PairLossOptions& options) {
  switch (options.kind) {
    case PairLossKind::kSigmoid:
      return Sigmoid(u, options.label_smoothing);
    case PairLossKind::kHinge:
      return at::threshold(1 - u, 0, 0);
    case PairLossKind::kIpo:
      return (u / options.beta - 1 / (2 * options.beta)).square();
    case PairLossKind::kRobust:
      return Robust(u, options.label_smoothing);
  }
  TORCH_CHECK(false, "loss ", static_cast<int>(options.kind), " is not in the table");
}

}  // namespace fpo::train
