#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/collective/process_group.h"
#include "train/model/backward_watch.h"
#include "train/optim/gradient_buffer.h"
#include "train/optim/optimizer.h"
#include "train/parallel/bucket_sender.h"
#include "train/parallel/gradient_exchange.h"
#include "train/parallel/shard_plan.h"
#include "train/parallel/sharded_state.h"
#include "train/parallel/sharding.h"
#include "train/parallel/step_traffic.h"

namespace fpo::train {

// The way from the ranks' gradients to equal weights on all ranks. With a sharding the optimiser
// knows views of this rank's pieces of the parameters only: masters, moments and updates of the
// others are elsewhere, and the updated weights are gathered. Not thread-safe.
class ShardedUpdate {
 public:
  struct Options {
    Sharding sharding = Sharding::kNone;
    std::string optimizer;  // adam | adamw | rmsprop
    OptimizerOptions settings;
  };
  // Keeps the parameters, whose values are equal on all ranks, and the group.
  static absl::StatusOr<std::unique_ptr<ShardedUpdate>> Create(const NamedTensors& parameters,
                                                               const Options& options,
                                                               ProcessGroup& group);

  Sharding sharding() const { return options_.sharding; }
  const ShardPlan& plan() const { return plan_; }
  GradientBuffer& gradients() { return gradients_; }

  // Without a sharding a rank collects the gradients of its micro-batches in `gradients` and calls
  // no other rank. With one it does so in rounds, in each of which every bucket of gradients leaves
  // once, while the round's last backward runs:
  //   Rounds; for each: { BeginRound; backward...; with watch() in scope the last; EndRound };
  //   AllFit, and if not, once more from the beginning.
  // All are collective but BeginRound. How many rounds there are for ranks with `micro_batches`.
  absl::StatusOr<int64_t> Rounds(int64_t micro_batches);
  void BeginRound() { sender_.Begin(); }
  BackwardWatch* watch() { return &sender_; }
  absl::Status EndRound(bool computed);      // false: this rank has nothing to give in it
  absl::StatusOr<bool> AllFit(bool fitted);  // false: a rank ran out of memory; all start again

  // Sums over the ranks; the Euclidean norm of all gradients, the same on all ranks. Collective.
  absl::StatusOr<double> SumGradients();
  // Updates the weights, on all ranks, and forgets the gradients. Collective.
  absl::Status Step(double lr, double scale);

  // What this rank has given to the others since the last call; `metrics` is whatever was neither
  // gradients nor weights.
  StepTraffic TakeTraffic();

  // What this rank keeps. The step count is `step`.
  std::vector<TensorRange> Masters() const;
  std::vector<TensorRange> Moments() const;
  int64_t step() const { return optimizer_->step(); }
  // Everything: with a sharding on rank 0 alone, in host memory, and nothing on the others.
  // Collective.
  absl::StatusOr<OptimizerTensors> Whole() const;

  // What all masters and all moments look like, as tensors without values.
  TensorMap MastersLike() const;
  TensorMap MomentsLike() const;
  // Restore this rank's masters and moments and all weights, bit for bit, from what any sharding
  // and number of ranks had, a tensor at a time. InvalidArgument names a tensor that does not fit;
  // nothing is changed then.
  absl::Status Restore(const TensorMap& masters, const TensorMap& state);
  absl::Status RestoreRanges(int64_t step, const RangeReader& masters, const RangeReader& moments);

  // Changes the masters in place, and all weights from them. Collective.
  absl::Status ChangeMasters(const std::function<absl::Status(const TensorRange& master)>& change);

 private:
  ShardedUpdate(const NamedTensors& parameters, const Options& options, ProcessGroup& group);
  bool sharded() const { return options_.sharding != Sharding::kNone; }
  std::vector<at::Tensor> TensorsOf(size_t bucket) const;
  at::TensorOptions WideOptions() const;
  absl::Status SumWhole(const std::vector<at::Tensor>& gradients);
  absl::Status GatherWeights();
  absl::StatusOr<TensorMap> GatherWhole(const std::vector<TensorRange>& own,
                                        const std::string& suffix) const;
  std::string MomentOf(const std::string& state_name, size_t piece) const;

  const NamedTensors parameters_;
  const Options options_;
  ProcessGroup& group_;
  const ShardPlan plan_;
  std::vector<ShardPiece> pieces_;  // one for each of the optimiser's tensors
  NamedTensors views_;              // those, named "PARAMETER[begin:end]" when sharded
  std::unique_ptr<Optimizer> optimizer_;
  GradientBuffer gradients_;
  GradientExchange exchange_;
  BucketSender sender_;
  StepTraffic sent_;              // since TakeTraffic, by GatherBucket and GatherWeights
  int64_t sent_by_exchange_ = 0;  // before that
  int64_t sent_in_all_ = 0;
};

}  // namespace fpo::train
