#include "train/plan/run_sizes.h"

#include <algorithm>

#include "common/job/job_file.h"
#include "train/model/lora.h"
#include "train/objective/objective.h"
#include "train/ops/fast_paths.h"
#include "train/parallel/sharding.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/reference_plan.h"
#include "train/reference/scorer.h"
#include "train/runs/data_plan.h"

namespace fpo::train {
namespace {

constexpr int64_t kKeyBytes = 64;     // of a record beside its features: key, sum, count, index
constexpr int64_t kFeatureBytes = 8;  // index and value

ModelSizes SizesOfModel(const GemmaConfig& config, const AdapterSection& adapter) {
  ModelSizes sizes;
  sizes.layers = config.layers;
  sizes.hidden = config.hidden_size;
  sizes.heads = config.heads;
  sizes.kv_heads = config.kv_heads;
  sizes.head_dim = config.head_dim;
  sizes.feed_forward = config.intermediate_size;
  sizes.vocab = config.vocab_size;
  sizes.tied_head = config.tied_head;
  sizes.qk_norm = config.qk_norm();
  sizes.norms_outputs = config.family().norms_outputs;
  const auto lora = MakeLoraConfig(adapter.rank, adapter.alpha, adapter.targets);
  if (!adapter.on() || !lora.ok()) return sizes;
  using enum LoraTarget;
  sizes.adapter = {lora->rank,    lora->Has(kQ),    lora->Has(kK),  lora->Has(kV),
                   lora->Has(kO), lora->Has(kGate), lora->Has(kUp), lora->Has(kDown)};
  using Packing = AdapterSizes::Packing;
  if (adapter.kind == "qlora") {
    sizes.adapter.packing = adapter.double_quantization ? Packing::kNf4Double : Packing::kNf4;
  }
  return sizes;
}

ComputeSizes ComputeOf(const JobConfig& job, const PlanFacts& facts) {
  const FastPaths paths = ActiveFastPaths();
  const bool wide = job.model.dtype == "float32";
  ComputeSizes compute;
  compute.element_bytes = wide ? 4 : 2;
  compute.threads = facts.threads;
  compute.on_device = facts.on_device;
  compute.own_kernels = paths.kernels && (wide || facts.on_device);
  compute.whole_attention = compute.own_kernels || facts.on_device;
  compute.checkpointed_layers = job.activation_checkpointing
                                    ? facts.config.layers
                                    : job.activation_checkpointing_layers.value_or(0);
  const auto method = ParseMethod(job.method.name);
  compute.reference_head = method.ok() && NeedsKl(*method);
  return compute;
}

std::vector<Sequence> ResponsesToScore(const JobConfig& job, const JobTokens& tokens) {
  std::vector<Sequence> sequences;
  for (const ReferenceResponse& response : ReferenceResponses(tokens, PairsOfJob(job, tokens))) {
    sequences.push_back({response.prompt, response.response});
  }
  return sequences;
}

int64_t RecordBytes(const PlanFacts& facts, const PlannedWork& work, double mean_tokens) {
  int64_t bytes = kKeyBytes;
  for (size_t i = 0; i < facts.saes.size(); ++i) {
    const double active = std::min(static_cast<double>(facts.saes[i].features),
                                   facts.sae_l0[i] * std::max(1.0, mean_tokens));
    bytes += static_cast<int64_t>(active) * kFeatureBytes;
  }
  return work.responses * bytes;
}

}  // namespace

bool ScoresRecords(const JobConfig& job) {
  return UsesReference(job) && job.reference.source == "cached";
}

bool HoldsReference(const JobConfig& job) {
  return UsesReference(job) && job.reference.source == "online";
}

int64_t EvaluatedPairs(const JobConfig& job, const JobTokens& tokens) {
  int64_t pairs = std::min(tokens.eval.size(), job.evaluate.pairs);
  for (const EvalTokens& set : tokens.more_eval) {
    pairs += std::min(set.tokens.size(), job.evaluate.pairs);
  }
  return pairs;
}

PlannedWork WorkOf(const JobConfig& job, const PlanFacts& facts, const JobTokens& tokens) {
  const TokenFile& train = tokens.train;
  const auto method = ParseMethod(job.method.name).value_or(Method::kFpo);
  const at::Device device = facts.on_device ? at::kCUDA : at::kCPU;
  PlannedWork work{
      {facts.config, ResponsesOf(method), PacksBatches(device)}, 0, {}, {}, {}, {}, 0, {}};
  const auto evaluate = [&](const TokenFile& set) {
    return BatchesOfEvaluation(set, std::min(set.size(), job.evaluate.pairs),
                               job.batch.tokens_per_microbatch, work.rules);
  };
  work.evaluation = evaluate(tokens.eval);
  for (const EvalTokens& set : tokens.more_eval) work.evaluation.Add(evaluate(set.tokens));
  if (job.kind == "train" && train.size() > 0) {
    const Batcher batcher =
        MakeBatcher(job, LengthsOf(train, train.size(), work.rules.responses, work.rules.packed), 0,
                    job.resources.slots);
    work.steps = TotalSteps(job, batcher);
    work.training = BatchesOfSteps(train, batcher, work.steps, work.rules);
    const int64_t checked = std::max(ScoresRecords(job) ? ProbedPairs(job) : 0,
                                     facts.saes.empty() ? int64_t{0} : kSaeCheckPairs);
    if (checked > 0) {
      const std::vector<Sequence> sides = BothSides(FirstPairs(batcher, train, checked));
      const BatchSizes sizes = SizesOf(sides, work.rules.packed, 2);
      work.check.flops = ForwardFlopsOf(facts.config, sizes);
      work.check.first.Add(sizes);
    }
  }
  if (!ScoresRecords(job)) return work;
  work.missing = ResponsesToScore(job, tokens);
  work.responses = static_cast<int64_t>(work.missing.size());
  work.scoring = BatchesOfScoring(work.missing, Scorer::Options().tokens_per_batch, work.rules);
  return work;
}

RunSizes SizesOfRun(const JobConfig& job, const PlanFacts& facts, const PlannedWork& work,
                    bool overlaps) {
  RunSizes run;
  run.step = {SizesOfModel(facts.config, job.adapter), ComputeOf(job, facts), facts.saes,
              job.method.top_k};
  run.optimizer_moments = job.optimizer.name == "rmsprop" ? 1 : 2;
  run.ranks = job.resources.slots;
  const auto sharding = ChooseSharding(job.parallel.shard, run.ranks);
  run.shard = sharding.ok() ? ShardingName(*sharding) : "none";
  // Beside an adapter the reference is the policy's own weights.
  const bool shared = job.adapter.on() && ReferencePath(job) == job.model.path;
  run.reference = HoldsReference(job)  ? (shared ? ReferencePlace::kNone : ReferencePlace::kMemory)
                  : ScoresRecords(job) ? ReferencePlace::kRecords
                                       : ReferencePlace::kNone;
  run.scores_here = !work.missing.empty();
  run.weight_file_bytes = facts.weight_file_bytes;
  run.same_type_bytes = facts.same_type_bytes;
  run.sae_file_bytes = facts.sae_file_bytes;
  run.program_bytes = facts.program_bytes;
  int64_t tokens = 0;
  for (const Sequence& sequence : work.missing) {
    tokens += static_cast<int64_t>(sequence.response.size());
  }
  const double mean = work.missing.empty()
                          ? 0
                          : static_cast<double>(tokens) / static_cast<double>(work.missing.size());
  run.record_bytes = ScoresRecords(job) ? RecordBytes(facts, work, mean) : 0;
  const int64_t every = job.checkpoint.every_steps;
  run.copies_checkpoints = job.checkpoint.background && every > 0 && every < work.steps && overlaps;
  run.compares_features = work.steps > 0 && MakesFeatures(job) && work.evaluation.micro_batches > 0;
  run.first_batches = work.training.first.Take();
  run.later_batches = work.training.later.Take();
  run.evaluated_batches = work.evaluation.first.Take();
  run.scored_batches = work.scoring.first.Take();
  run.checked_batches = work.check.first.Take();
  return run;
}

}  // namespace fpo::train
