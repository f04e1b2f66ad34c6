#include "train/parallel/sharded_update.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/ops/wide_type.h"
#include "train/optim/grad_clip.h"
#include "train/parallel/flat_run.h"
#include "train/parallel/range_gather.h"

namespace fpo::train {
namespace {

ShardedUpdate::Options ForRanks(ShardedUpdate::Options options, int64_t world) {
  if (world == 1) options.sharding = Sharding::kNone;
  return options;
}

// Of the whole tensors where nothing is sharded.
std::vector<ShardPiece> PiecesToUpdate(const NamedTensors& parameters, const ShardPlan& plan,
                                       int64_t rank) {
  if (plan.world() > 1) return plan.PiecesOf(rank);
  std::vector<ShardPiece> pieces;
  for (size_t i = 0; i < parameters.size(); ++i) {
    pieces.push_back({0, i, 0, parameters[i].second.numel(), 0});
  }
  return pieces;
}

NamedTensors ViewsOf(const NamedTensors& parameters, const std::vector<ShardPiece>& pieces) {
  NamedTensors views;
  for (const ShardPiece& piece : pieces) {
    const auto& [name, parameter] = parameters[piece.tensor];
    views.emplace_back(
        absl::StrCat(name, "[", piece.begin, ":", piece.end, "]"),
        parameter.detach().view({-1}).narrow(0, piece.begin, piece.end - piece.begin));
  }
  return views;
}

}  // namespace

ShardedUpdate::ShardedUpdate(const NamedTensors& parameters, const Options& options,
                             ProcessGroup& group)
    : parameters_(parameters),
      options_(ForRanks(options, group.world())),
      group_(group),
      plan_(parameters, group.world()),
      pieces_(PiecesToUpdate(parameters, ShardPlan(parameters, sharded() ? group.world() : 1),
                             group.rank())),
      views_(sharded() ? ViewsOf(parameters, pieces_) : parameters),
      gradients_(parameters),
      exchange_(plan_, group, WideOptions()),
      sender_(plan_, gradients_, exchange_) {}

absl::StatusOr<std::unique_ptr<ShardedUpdate>> ShardedUpdate::Create(const NamedTensors& parameters,
                                                                     const Options& options,
                                                                     ProcessGroup& group) {
  std::unique_ptr<ShardedUpdate> update(new ShardedUpdate(parameters, options, group));
  FPO_ASSIGN_OR_RETURN(update->optimizer_,
                       MakeOptimizer(options.optimizer, update->views_, options.settings));
  return update;
}

at::TensorOptions ShardedUpdate::WideOptions() const {
  const at::Tensor& first = parameters_.front().second;
  return at::TensorOptions().device(first.device()).dtype(WideType(first));
}

std::vector<at::Tensor> ShardedUpdate::TensorsOf(size_t bucket) const {
  const ShardBucket& place = plan_.buckets()[bucket];
  std::vector<at::Tensor> tensors;
  for (size_t i = 0; i < place.count; ++i) {
    tensors.push_back(parameters_[place.first + i].second.detach());
  }
  return tensors;
}

absl::StatusOr<int64_t> ShardedUpdate::Rounds(int64_t micro_batches) {
  if (options_.sharding != Sharding::kGradients) return 1;
  std::vector<double> counts(static_cast<size_t>(group_.world()));
  counts[static_cast<size_t>(group_.rank())] = static_cast<double>(micro_batches);
  FPO_RETURN_IF_ERROR(group_.Sum(&counts));
  return static_cast<int64_t>(*std::max_element(counts.begin(), counts.end()));
}

absl::Status ShardedUpdate::EndRound(bool computed) { return sender_.End(computed); }

absl::StatusOr<bool> ShardedUpdate::AllFit(bool fitted) {
  std::vector<double> misfits = {fitted ? 0.0 : 1.0};
  FPO_RETURN_IF_ERROR(group_.Sum(&misfits));
  if (misfits[0] == 0) return true;
  FPO_RETURN_IF_ERROR(exchange_.Finish());
  exchange_.Clear();
  gradients_.Clear();
  return false;
}

// In place. A bucket at a time: no rank holds a second copy of all gradients.
absl::Status ShardedUpdate::SumWhole(const std::vector<at::Tensor>& gradients) {
  const Work work("summing over the ranks", static_cast<int64_t>(plan_.buckets().size()), "parts");
  for (size_t bucket = plan_.buckets().size(); bucket-- > 0;) {
    const ShardBucket& place = plan_.buckets()[bucket];
    const auto first = gradients.begin() + static_cast<std::ptrdiff_t>(place.first);
    const std::vector<at::Tensor> own(first, first + static_cast<std::ptrdiff_t>(place.count));
    exchange_.Send(bucket, own);
    FPO_RETURN_IF_ERROR(exchange_.Finish());
    const auto read = [&](size_t, int64_t begin, const at::Tensor& values) {
      values.copy_(exchange_.Range(bucket).narrow(0, begin, values.numel()));
    };
    const auto write = [&](size_t, int64_t rank, int64_t begin, const at::Tensor& values) {
      FlatRun(own).Write(rank * place.range + begin, values);
    };
    const int64_t before = group_.sent_bytes();
    FPO_RETURN_IF_ERROR(GatherBucket({plan_, group_, WideOptions(), read, write}, bucket));
    sent_.gradients += group_.sent_bytes() - before;
    exchange_.Clear();
    AdvanceWork();
  }
  return absl::OkStatus();
}

absl::StatusOr<double> ShardedUpdate::SumGradients() {
  if (!sharded()) {
    const std::vector<at::Tensor>& gradients = gradients_.gradients();
    if (group_.world() > 1) FPO_RETURN_IF_ERROR(SumWhole(gradients));
    return GlobalNorm(gradients);
  }
  FPO_RETURN_IF_ERROR(exchange_.Finish());
  const double own = GlobalNorm(exchange_.ranges());
  std::vector<double> squares = {own * own};
  FPO_RETURN_IF_ERROR(group_.Sum(&squares));
  return std::sqrt(squares[0]);
}

absl::Status ShardedUpdate::Step(double lr, double scale) {
  if (!sharded()) {
    optimizer_->Step(gradients_.gradients(), lr, scale);
    gradients_.Clear();
    return absl::OkStatus();
  }
  std::vector<at::Tensor> own;
  for (const ShardPiece& piece : pieces_) {
    own.push_back(exchange_.Range(piece.bucket).narrow(0, piece.offset, piece.end - piece.begin));
  }
  optimizer_->Step(own, lr, scale);
  own.clear();
  exchange_.Clear();
  FPO_FAILPOINT("train.update.gather");
  return GatherWeights();
}

absl::Status ShardedUpdate::GatherWeights() {
  if (!sharded()) return absl::OkStatus();
  const auto start = [&](size_t bucket, int64_t rank) {
    return rank * plan_.buckets()[bucket].range;
  };
  const auto read = [&](size_t bucket, int64_t begin, const at::Tensor& values) {
    FlatRun(TensorsOf(bucket)).Read(start(bucket, group_.rank()) + begin, values);
  };
  const auto write = [&](size_t bucket, int64_t rank, int64_t begin, const at::Tensor& values) {
    if (rank == group_.rank()) return;
    FlatRun(TensorsOf(bucket)).Write(start(bucket, rank) + begin, values);
  };
  const at::Tensor& first = parameters_.front().second;
  const int64_t before = group_.sent_bytes();
  FPO_RETURN_IF_ERROR(
      Gather({plan_, group_, at::TensorOptions().device(first.device()).dtype(first.dtype()), read,
              write}));
  sent_.weights += group_.sent_bytes() - before;
  return absl::OkStatus();
}

StepTraffic ShardedUpdate::TakeTraffic() {
  StepTraffic taken = std::exchange(sent_, {});
  taken.gradients += exchange_.sent_bytes() - sent_by_exchange_;
  sent_by_exchange_ = exchange_.sent_bytes();
  taken.metrics = group_.sent_bytes() - sent_in_all_ - taken.gradients - taken.weights;
  sent_in_all_ = group_.sent_bytes();
  return taken;
}

std::vector<TensorRange> ShardedUpdate::Masters() const {
  std::vector<TensorRange> ranges;
  const NamedTensors masters = optimizer_->Masters();
  for (size_t i = 0; i < masters.size(); ++i) {
    const auto& [name, parameter] = parameters_[pieces_[i].tensor];
    ranges.push_back({name, parameter.sizes().vec(), pieces_[i].begin, pieces_[i].end,
                      masters[i].second.view({-1})});
  }
  return ranges;
}

// "PARAMETER[begin:end].exp_avg" is "PARAMETER.exp_avg".
std::string ShardedUpdate::MomentOf(const std::string& state_name, size_t piece) const {
  return absl::StrCat(parameters_[pieces_[piece].tensor].first,
                      state_name.substr(views_[piece].first.size()));
}

std::vector<TensorRange> ShardedUpdate::Moments() const {
  std::vector<TensorRange> ranges;
  const NamedTensors state = optimizer_->State();
  for (size_t i = 1; i < state.size(); ++i) {  // the first is the step count
    const size_t piece = (i - 1) % pieces_.size();
    const at::Tensor& parameter = parameters_[pieces_[piece].tensor].second;
    ranges.push_back({MomentOf(state[i].first, piece), parameter.sizes().vec(),
                      pieces_[piece].begin, pieces_[piece].end, state[i].second.view({-1})});
  }
  return ranges;
}

absl::StatusOr<TensorMap> ShardedUpdate::GatherWhole(const std::vector<TensorRange>& own,
                                                     const std::string& suffix) const {
  std::vector<std::vector<at::Tensor>> kept(plan_.buckets().size()), whole(plan_.buckets().size());
  for (size_t i = 0; i < own.size(); ++i) kept[pieces_[i].bucket].push_back(own[i].values);
  TensorMap result;
  const bool leads = group_.rank() == 0;
  for (size_t bucket = 0; leads && bucket < whole.size(); ++bucket) {
    for (size_t i = 0; i < plan_.buckets()[bucket].count; ++i) {
      const auto& [name, parameter] = parameters_[plan_.buckets()[bucket].first + i];
      whole[bucket].push_back(at::empty(parameter.sizes(), WideOptions().device(at::kCPU)));
      result[absl::StrCat(name, suffix)] = whole[bucket].back();
    }
  }
  const auto read = [&](size_t bucket, int64_t begin, const at::Tensor& values) {
    FlatRun(kept[bucket]).Read(begin, values);
  };
  const auto write = [&](size_t bucket, int64_t rank, int64_t begin, const at::Tensor& values) {
    if (leads) FlatRun(whole[bucket]).Write(rank * plan_.buckets()[bucket].range + begin, values);
  };
  FPO_RETURN_IF_ERROR(Gather({plan_, group_, WideOptions(), read, write}));
  return result;
}

absl::StatusOr<OptimizerTensors> ShardedUpdate::Whole() const {
  OptimizerTensors result;
  if (!sharded()) {
    const NamedTensors masters = optimizer_->Masters(), state = optimizer_->State();
    return OptimizerTensors{{masters.begin(), masters.end()}, {state.begin(), state.end()}};
  }
  const std::vector<TensorRange> moments = Moments();
  FPO_ASSIGN_OR_RETURN(result.masters, GatherWhole(Masters(), ""));
  for (const std::string& moment : optimizer_->moments()) {
    std::vector<TensorRange> own;
    const std::string suffix = absl::StrCat(".", moment);
    for (const TensorRange& range : moments) {
      const std::string& parameter = parameters_[pieces_[own.size() % pieces_.size()].tensor].first;
      if (range.name == parameter + suffix) own.push_back(range);
    }
    FPO_ASSIGN_OR_RETURN(TensorMap gathered, GatherWhole(own, suffix));
    result.state.merge(gathered);
  }
  if (group_.rank() == 0) result.state["step"] = at::scalar_tensor(step(), at::kLong);
  return result;
}

TensorMap ShardedUpdate::MastersLike() const {
  TensorMap like;
  for (const auto& [name, parameter] : parameters_) {
    like[name] = at::empty(parameter.sizes(), WideOptions().device(at::kMeta));
  }
  return like;
}

TensorMap ShardedUpdate::MomentsLike() const {
  TensorMap like;
  for (const auto& [name, master] : MastersLike()) {
    for (const std::string& moment : optimizer_->moments()) {
      like[absl::StrCat(name, ".", moment)] = master;
    }
  }
  return like;
}

absl::Status ShardedUpdate::Restore(const TensorMap& masters, const TensorMap& state) {
  const auto step = state.find("step");
  if (step == state.end() || step->second.numel() != 1) {
    return absl::InvalidArgumentError("optimizer state: \"step\" is not one number");
  }
  return RestoreRanges(step->second.item<int64_t>(), ReadRangesOf(masters, MastersLike()),
                       ReadRangesOf(state, MomentsLike()));
}

absl::Status ShardedUpdate::RestoreRanges(int64_t step, const RangeReader& masters,
                                          const RangeReader& moments) {
  // Of no elements: what does not fit is found before anything is changed.
  for (const auto& [name, like] : MastersLike()) FPO_RETURN_IF_ERROR(masters(name, 0, 0).status());
  for (const auto& [name, like] : MomentsLike()) FPO_RETURN_IF_ERROR(moments(name, 0, 0).status());
  const at::NoGradGuard no_grad;
  const auto copy = [](const absl::StatusOr<at::Tensor>& values, const at::Tensor& into) {
    if (!values.ok()) return values.status();
    into.copy_(values->view(into.sizes()));
    AdvanceWork(0);
    return absl::OkStatus();
  };
  const NamedTensors kept = optimizer_->Masters(), state = optimizer_->State();
  for (size_t i = 0; i < kept.size(); ++i) {
    const ShardPiece& piece = pieces_[i];
    const std::string& name = parameters_[piece.tensor].first;
    FPO_RETURN_IF_ERROR(copy(masters(name, piece.begin, piece.end), kept[i].second));
  }
  for (size_t i = 1; i < state.size(); ++i) {
    const size_t at = (i - 1) % pieces_.size();
    const std::string name = MomentOf(state[i].first, at);
    FPO_RETURN_IF_ERROR(copy(moments(name, pieces_[at].begin, pieces_[at].end), state[i].second));
  }
  optimizer_->Restored(step);
  if (!sharded()) return absl::OkStatus();
  for (const auto& [name, parameter] : parameters_) {
    FPO_RETURN_IF_ERROR(copy(masters(name, 0, parameter.numel()), parameter.detach()));
  }
  return absl::OkStatus();
}

absl::Status ShardedUpdate::ChangeMasters(
    const std::function<absl::Status(const TensorRange& master)>& change) {
  const std::vector<TensorRange> masters = Masters();
  size_t next = 0;
  FPO_RETURN_IF_ERROR(optimizer_->ChangeMasters(
      [&](const std::string&, const at::Tensor&) { return change(masters[next++]); }));
  return GatherWeights();
}

}  // namespace fpo::train
