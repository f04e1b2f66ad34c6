#include "train/plan/speed_probe.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/loop/model_flops.h"
#include "train/loop/model_loader.h"
#include "train/loop/part_times.h"
#include "train/model/lora.h"
#include "train/model/weights.h"
#include "train/objective/objective.h"
#include "train/optim/grad_clip.h"
#include "train/optim/gradient_buffer.h"
#include "train/optim/optimizer.h"
#include "train/plan/stand_in_reference.h"
#include "train/reference/online_reference.h"
#include "train/reference/reference_plan.h"
#include "train/reference/scorer.h"
#include "train/runs/data_plan.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {
namespace {

constexpr double kUsualFraction = 0.4;  // of a large product's rate that a step reaches

// Weights whose values do not matter: the same block of random numbers again and again, since
// drawing each one takes longer than the measurement.
absl::StatusOr<Gemma> ModelOf(const GemmaConfig& config, at::ScalarType dtype, at::Device device) {
  constexpr int64_t kBlock = int64_t{1} << 20;
  const at::Tensor block =
      at::empty({kBlock}, at::kFloat).normal_(0, 0.02, at::detail::createCPUGenerator(1)).to(dtype);
  TensorMap weights;
  for (const auto& [name, shape] : TensorShapes(config)) {
    at::Tensor weight = at::zeros(shape, dtype);
    const at::Tensor flat = weight.view(-1);
    for (int64_t first = 0; weight.dim() > 1 && first < flat.numel(); first += kBlock) {
      const int64_t count = std::min(kBlock, flat.numel() - first);
      flat.narrow(0, first, count).copy_(block.narrow(0, 0, count));
    }
    weights.emplace(name, weight.to(device));
  }
  return Gemma::Create(config, std::move(weights));
}

GemmaConfig WithLayers(GemmaConfig config, int64_t layers) {
  config.layers = std::min(config.layers, layers);
  config.sliding.resize(static_cast<size_t>(config.layers));
  return config;
}

// What is timed: the first micro-batch of some steps, of the evaluation and of the reference.
struct Samples {
  std::vector<std::vector<int64_t>> training;  // the first is computed twice
  std::vector<int64_t> evaluation;
  std::vector<Sequence> scoring;
};

struct Seconds {
  double train = 0, first = 0, update = 0, evaluate = 0, score = 0;

  // Each further layer takes as long as the second.
  Seconds ToLayers(const Seconds& two, int64_t layers) const {
    const auto more = static_cast<double>(layers - 1);
    const auto at = [&](double one, double other) {
      return one + more * std::max(0.0, other - one);
    };
    return {at(train, two.train), at(first, two.first), at(update, two.update),
            at(evaluate, two.evaluate), at(score, two.score)};
  }
};

// One model and all that computes with it.
class Bench {
 public:
  Bench(const ProbeInputs& inputs, const Samples& samples, Gemma model, std::vector<LoadedSae> saes)
      : inputs_(inputs), samples_(samples), model_(std::move(model)), times_(inputs.device, true) {
    for (LoadedSae& sae : saes) {
      sae.tap.layer = std::min(sae.tap.layer, model_.config().layers - 1);
      objective_.saes.push_back(std::move(sae));
    }
  }

  absl::StatusOr<Seconds> Run();

 private:
  absl::Status Prepare();
  absl::Status Train(const Objective& objective);
  absl::Status Update();
  absl::Status Evaluate(const Objective& objective);
  absl::Status Score();
  absl::Status Compute(const Objective& objective, const std::vector<int64_t>& batch);
  template <typename Fn>
  absl::StatusOr<double> Timed(const Fn& fn) {
    times_.Start();
    FPO_RETURN_IF_ERROR(fn());
    times_.End("all");
    return times_.seconds().at("all");
  }

  const ProbeInputs& inputs_;
  const Samples& samples_;
  Gemma model_;
  ObjectiveOptions objective_;
  std::unique_ptr<ReferenceSource> reference_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<GradientBuffer> gradients_;
  PartTimes times_;
  Seconds seconds_;
};

absl::Status Bench::Prepare() {
  const JobConfig& job = inputs_.job;
  FPO_ASSIGN_OR_RETURN(objective_.preference, MakePreferenceOptions(job.method));
  objective_.constraint.top_k = job.method.top_k;
  FPO_ASSIGN_OR_RETURN(objective_.constraint.selection,
                       ParseFeatureSelection(job.method.feature_selection));
  objective_.activation_checkpointing = job.activation_checkpointing;
  objective_.checkpointed_layers = job.activation_checkpointing_layers.value_or(0);
  std::vector<int64_t> widths;
  for (const LoadedSae& sae : objective_.saes) widths.push_back(sae.sae.features());
  if (HoldsReference(job)) {
    reference_ = std::make_unique<OnlineReference>(model_, objective_.saes);
  } else if (UsesReference(job)) {
    reference_ = std::make_unique<StandInReference>(widths, inputs_.device);
  }
  return absl::OkStatus();
}

absl::Status Bench::Compute(const Objective& objective, const std::vector<int64_t>& batch) {
  std::vector<TokenPairView> views;
  GlobalBatch global{static_cast<double>(batch.size())};
  for (const int64_t index : batch) {
    views.push_back(inputs_.train.pair(index));
    global.chosen_tokens += static_cast<double>(views.back().chosen.size());
  }
  if (objective.method() == Method::kKto) {
    FPO_RETURN_IF_ERROR(objective.MismatchedLogRatios(views).status());
  }
  FPO_ASSIGN_OR_RETURN(const ObjectivePart part, objective.Compute(views, global));
  gradients_->Collect([&] { part.loss.backward(); });
  return absl::OkStatus();
}

absl::Status Bench::Train(const Objective& objective) {
  FPO_ASSIGN_OR_RETURN(seconds_.first,
                       Timed([&] { return Compute(objective, samples_.training.front()); }));
  FPO_RETURN_IF_ERROR(Update());  // the first touches the pages of the moments
  for (const std::vector<int64_t>& batch : samples_.training) {
    FPO_ASSIGN_OR_RETURN(const double seconds, Timed([&] { return Compute(objective, batch); }));
    if (&batch == &samples_.training.front()) {
      seconds_.first = std::max(0.0, seconds_.first - seconds);
    }
    seconds_.train += seconds;
    gradients_->Clear();
  }
  FPO_RETURN_IF_ERROR(Compute(objective, samples_.training.front()));
  return Update();
}

absl::Status Bench::Update() {
  FPO_ASSIGN_OR_RETURN(seconds_.update, Timed([&]() -> absl::Status {
                         const double norm = GlobalNorm(gradients_->gradients());
                         optimizer_->Step(gradients_->gradients(), 0, ClipFactor(norm, 1.0));
                         gradients_->Clear();
                         return absl::OkStatus();
                       }));
  return absl::OkStatus();
}

absl::Status Bench::Evaluate(const Objective& objective) {
  const at::NoGradGuard no_grad;
  std::vector<TokenPairView> views;
  GlobalBatch global{static_cast<double>(samples_.evaluation.size())};
  for (const int64_t index : samples_.evaluation) {
    views.push_back(inputs_.eval.pair(index));
    global.chosen_tokens += static_cast<double>(views.back().chosen.size());
  }
  for (int round = 0; round < 2; ++round) {  // the first finds its memory
    FPO_ASSIGN_OR_RETURN(seconds_.evaluate,
                         Timed([&] { return objective.Compute(views, global).status(); }));
  }
  return absl::OkStatus();
}

absl::Status Bench::Score() {
  Scorer::Options options;
  options.saes = objective_.saes;
  FPO_ASSIGN_OR_RETURN(options.top_features, TopFeatures(FeaturesWord(inputs_.job.reference)));
  const Scorer scorer(model_, std::move(options));
  FPO_ASSIGN_OR_RETURN(seconds_.score,
                       Timed([&] { return scorer.Score(samples_.scoring, {}).status(); }));
  return absl::OkStatus();
}

absl::StatusOr<Seconds> Bench::Run() {
  FPO_RETURN_IF_ERROR(Prepare());
  if (!samples_.scoring.empty()) FPO_RETURN_IF_ERROR(Score());
  const AdapterSection& adapter = inputs_.job.adapter;
  if (adapter.on()) {
    FPO_ASSIGN_OR_RETURN(const LoraConfig lora,
                         MakeLoraConfig(adapter.rank, adapter.alpha, adapter.targets));
    model_.Adapt(lora, NewLora(model_.config(), lora, 1));
  }
  const Objective objective(model_, objective_, reference_.get());
  if (!samples_.evaluation.empty()) FPO_RETURN_IF_ERROR(Evaluate(objective));
  if (samples_.training.empty()) return seconds_;
  if (!adapter.on()) model_.SetRequiresGrad(true);
  const NamedTensors& parameters = model_.Trained();
  FPO_ASSIGN_OR_RETURN(optimizer_, MakeOptimizer(inputs_.job.optimizer.name, parameters,
                                                 MakeOptimizerOptions(inputs_.job.optimizer)));
  gradients_ = std::make_unique<GradientBuffer>(parameters);
  FPO_RETURN_IF_ERROR(Train(objective));
  return seconds_;
}

double FlopsOf(const ProbeInputs& inputs, const TokenFile& file, const std::vector<int64_t>& batch,
               const GemmaConfig& config) {
  const BatchRules& rules = inputs.work.rules;
  const int64_t sides = rules.responses == Responses::kBoth ? 2 : 1;
  return ForwardFlopsOf(config,
                        SizesOf(SequencesOf(file, batch, rules.responses), rules.packed, sides));
}

double FlopsOf(const ProbeInputs& inputs, const std::vector<Sequence>& sequences,
               const GemmaConfig& config) {
  BatchRules rules = inputs.work.rules;
  const BatchRules own{config, rules.responses, rules.packed};
  return BatchesOfScoring(sequences, Scorer::Options().tokens_per_batch, own).flops;
}

// Halves until `seconds` of it are few enough; at least one item.
template <typename T, typename Estimate>
void CutTo(double seconds_max, const Estimate& seconds, std::vector<T>* items) {
  while (items->size() > 1 && seconds(*items) > seconds_max) {
    items->resize((items->size() + 1) / 2);
  }
}

struct ProbePlan {
  Samples samples;
  bool whole = true;  // all layers
};

// The first micro-batch of a few steps, evenly over the run.
std::vector<std::vector<int64_t>> SampledBatches(const ProbeInputs& inputs) {
  constexpr int64_t kSamples = 3;
  std::vector<std::vector<int64_t>> batches;
  if (inputs.work.steps == 0) return batches;
  const Batcher batcher =
      MakeBatcher(inputs.job,
                  LengthsOf(inputs.train, inputs.train.size(), inputs.work.rules.responses,
                            inputs.work.rules.packed),
                  0, 1);
  for (int64_t i = 0; i < std::min(kSamples, inputs.work.steps); ++i) {
    batches.push_back(batcher.Step(i * inputs.work.steps / kSamples).micro_batches.front());
  }
  return batches;
}

ProbePlan PlanProbe(const ProbeInputs& inputs) {
  const auto dtype = ParseDtype(inputs.job.model.dtype).value_or(at::kFloat);
  const double rate = kUsualFraction * MeasuredPeakFlops(inputs.device, dtype);
  ProbePlan plan;
  Samples& samples = plan.samples;
  samples.training = SampledBatches(inputs);
  const int64_t evaluated = std::min(inputs.eval.size(), inputs.job.evaluate.pairs);
  for (int64_t i = 0; i < evaluated; ++i) samples.evaluation.push_back(i);
  samples.scoring = inputs.work.missing;
  constexpr double kBackward = 2;  // of a forward pass
  const auto seconds = [&](const GemmaConfig& config) {
    double sum = 0;
    for (const auto& batch : samples.training) {
      sum += (1 + kBackward) * FlopsOf(inputs, inputs.train, batch, config) / rate;
    }
    return sum;
  };
  const GemmaConfig& config = inputs.facts.config;
  plan.whole = inputs.fits && seconds(config) <= inputs.seconds_max / 2;
  const GemmaConfig cut = plan.whole ? config : WithLayers(config, 2);
  if (seconds(cut) > inputs.seconds_max / 3 && samples.training.size() > 1) {
    samples.training.resize(1);
  }
  const double own = inputs.seconds_max / 6;
  if (!samples.training.empty()) {
    CutTo(
        3 * own,
        [&](const auto& batch) {
          return (1 + kBackward) * FlopsOf(inputs, inputs.train, batch, cut) / rate;
        },
        &samples.training.front());
  }
  CutTo(
      own, [&](const auto& batch) { return 2 * FlopsOf(inputs, inputs.eval, batch, cut) / rate; },
      &samples.evaluation);
  CutTo(
      own, [&](const auto& all) { return FlopsOf(inputs, all, cut) / rate; }, &samples.scoring);
  return plan;
}

absl::StatusOr<Seconds> RunBench(const ProbeInputs& inputs, const Samples& samples,
                                 const GemmaConfig& config, const std::vector<LoadedSae>& saes) {
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, ParseDtype(inputs.job.model.dtype));
  FPO_ASSIGN_OR_RETURN(Gemma model, ModelOf(config, dtype, inputs.device));
  return Bench(inputs, samples, std::move(model), saes).Run();
}

double Ratio(double seconds, double flops) { return flops > 0 ? seconds / flops : 0; }

}  // namespace

absl::StatusOr<MeasuredSpeed> MeasureSpeed(const ProbeInputs& inputs) {
  const GemmaConfig& config = inputs.facts.config;
  const std::vector<LoadedSae>& saes = inputs.saes;
  const ProbePlan plan = PlanProbe(inputs);
  MeasuredSpeed speed;
  Seconds all;
  if (plan.whole || config.layers < 3) {
    FPO_ASSIGN_OR_RETURN(all, RunBench(inputs, plan.samples, config, saes));
    speed.how = "measured here on some micro-batches of the job, with fresh weights";
  } else {
    FPO_ASSIGN_OR_RETURN(const Seconds one,
                         RunBench(inputs, plan.samples, WithLayers(config, 1), saes));
    FPO_ASSIGN_OR_RETURN(const Seconds two,
                         RunBench(inputs, plan.samples, WithLayers(config, 2), saes));
    all = one.ToLayers(two, config.layers);
    speed.how = absl::StrCat(
        "measured here on one and two fresh layers, and taken to be the same "
        "for each of the ",
        config.layers);
  }
  double trained = 0;
  for (const std::vector<int64_t>& batch : plan.samples.training) {
    trained += FlopsOf(inputs, inputs.train, batch, config);
  }
  speed.train = Ratio(all.train, trained);
  speed.evaluate =
      Ratio(all.evaluate, FlopsOf(inputs, inputs.eval, plan.samples.evaluation, config));
  speed.score = Ratio(all.score, FlopsOf(inputs, plan.samples.scoring, config));
  speed.update = all.update;
  speed.first = all.first;
  return speed;
}

}  // namespace fpo::train
