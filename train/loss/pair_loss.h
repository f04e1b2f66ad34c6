#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// What a pair costs as a function of u (preference_loss.h), by method.loss. Names and formulas are
// those of TRL 1.16's loss_type:
//   sigmoid  -(1 - epsilon) log sigmoid(u) - epsilon log sigmoid(-u)        (Rafailov 2023, cDPO)
//   hinge    max(0, 1 - u)                                                   (Zhao 2023, SLiC)
//   ipo      (u / beta - 1 / (2 beta))^2, u of means over tokens             (Azar 2023, eq. 17)
//   robust   (-(1 - epsilon) log sigmoid(u) + epsilon log sigmoid(-u)) / (1 - 2 epsilon)
//                                                                            (Chowdhury 2024)
enum class PairLossKind { kSigmoid, kHinge, kIpo, kRobust };
absl::StatusOr<PairLossKind> ParsePairLoss(absl::string_view name);  // InvalidArgument: the names

struct PairLossOptions {
  PairLossKind kind = PairLossKind::kSigmoid;
  double beta = 0.1;           // of ipo
  double label_smoothing = 0;  // epsilon, in [0, 0.5); hinge and ipo have none
};

// [n] -> [n].
at::Tensor LossOfMargin(const at::Tensor& u, const PairLossOptions& options);

}  // namespace fpo::train
