#include "train/runs/data_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

std::vector<int64_t> First(int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

// Every epoch visits all pairs, so only a run that ends within the first leaves some out.
std::vector<int64_t> TrainedPairs(const JobConfig& job, const TokenFile& train) {
  if (train.size() == 0) return {};
  const Batcher batcher = MakeBatcher(job, train, 0, 1);
  const int64_t steps = TotalSteps(job, batcher);
  if (steps >= batcher.StepsPerEpoch()) return First(train.size());
  const int64_t count = std::max(steps * job.batch.pairs, ProbedPairs(job));
  std::vector<int64_t> read = batcher.EpochOrder(0);
  read.resize(static_cast<size_t>(std::min(count, train.size())));
  std::sort(read.begin(), read.end());
  return read;
}

}  // namespace

Responses ResponsesOf(Method method) {
  return method == Method::kSft   ? Responses::kChosen
         : method == Method::kKto ? Responses::kOneAtATime
                                  : Responses::kBoth;
}

PairLengths LengthsOf(const TokenFile& pairs, int64_t count, Responses responses, bool packed) {
  PairLengths lengths({});
  for (int64_t i = 0; i < count; ++i) {
    lengths.longest.push_back(pairs.LongestSequence(i));
    if (!packed) continue;
    const auto rejected = static_cast<int64_t>(pairs.pair(i).rejected.size());
    lengths.packed.push_back(responses == Responses::kBoth     ? pairs.PackedTokens(i)
                             : responses == Responses::kChosen ? pairs.PackedTokens(i) - rejected
                                                               : pairs.LongestSequence(i));
  }
  return lengths;
}

Batcher MakeBatcher(const JobConfig& job, const TokenFile& train, int64_t rank, int64_t world) {
  return MakeBatcher(job, LengthsOf(train, train.size(), Responses::kBoth, /*packed=*/false), rank,
                     world);
}

Batcher MakeBatcher(const JobConfig& job, PairLengths lengths, int64_t rank, int64_t world) {
  Batcher::Options options;
  options.pairs_per_step = job.batch.pairs;
  options.tokens_per_microbatch = job.batch.tokens_per_microbatch;
  const absl::StatusOr<Method> method = ParseMethod(job.method.name);
  options.sequences_per_pair = SequencesPerPair(method.value_or(Method::kFpo));
  options.shuffle = job.data.shuffle;
  options.seed = static_cast<uint64_t>(job.seed);
  options.rank = rank;
  options.world = world;
  return Batcher(std::move(lengths), options);
}

std::vector<TokenPairView> FirstPairs(const Batcher& batcher, const TokenFile& train,
                                      int64_t count) {
  std::vector<TokenPairView> pairs;
  for (const int64_t index : batcher.EpochOrder(0)) {
    if (static_cast<int64_t>(pairs.size()) == count) break;
    pairs.push_back(train.pair(index));
  }
  return pairs;
}

int64_t TotalSteps(const JobConfig& job, const Batcher& batcher) {
  const int64_t all = job.epochs * batcher.StepsPerEpoch();
  return std::min(all, job.max_steps.value_or(all));
}

int64_t ProbedPairs(const JobConfig& job) {
  if (job.reference.probe_pairs == 0) return 0;
  return std::max(job.reference.probe_pairs, UsesFeatures(job) ? kSaeCheckPairs : 0);
}

PairSelection PairsOfRun(const JobConfig& job, const JobTokens& tokens) {
  PairSelection pairs = PairsOfEvaluation(job, tokens);
  pairs.train = TrainedPairs(job, tokens.train);
  return pairs;
}

PairSelection PairsOfEvaluation(const JobConfig& job, const JobTokens& tokens) {
  const auto first = [&](const TokenFile& eval) {
    return First(std::min(eval.size(), job.evaluate.pairs));
  };
  PairSelection pairs{{}, first(tokens.eval)};
  for (const EvalTokens& set : tokens.more_eval) pairs.more_eval.push_back(first(set.tokens));
  return pairs;
}

PairSelection PairsOfJob(const JobConfig& job, const JobTokens& tokens) {
  if (job.kind == "evaluate") return PairsOfEvaluation(job, tokens);
  if (job.kind != "reference" || job.max_steps.has_value()) return PairsOfRun(job, tokens);
  PairSelection all{First(tokens.train.size()), First(tokens.eval.size())};
  for (const EvalTokens& set : tokens.more_eval) {
    all.more_eval.push_back(First(set.tokens.size()));
  }
  return all;
}

}  // namespace fpo::train
