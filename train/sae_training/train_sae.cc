#include "train/sae_training/train_sae.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/inputs/sae_fit.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/token_file.h"
#include "train/device/device_name.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/formats/sae_files.h"
#include "train/loop/dtype_advice.h"
#include "train/loop/id_range.h"
#include "train/loop/model_loader.h"
#include "train/optim/gradient_buffer.h"
#include "train/optim/optimizer.h"
#include "train/optim/schedule.h"
#include "train/runs/metrics_log.h"
#include "train/runs/prepare_data.h"
#include "train/sae/sae_health.h"
#include "train/sae/sae_objective.h"
#include "train/sae_training/activation_source.h"
#include "train/sae_training/sparsity_control.h"

namespace fpo::train {
namespace {

constexpr int64_t kHealthRows = 8192;
constexpr double kL0Factor = 1.5;  // how far L0 may be from its target without a warning
constexpr double kFvuMax = 0.5;

std::vector<Sequence> AllSequences(const TokenFile& tokens) {
  std::vector<Sequence> sequences;
  for (int64_t i = 0; i < tokens.size(); ++i) {
    const TokenPairView pair = tokens.pair(i);
    sequences.push_back({pair.prompt, pair.chosen});
    if (!pair.rejected.empty()) sequences.push_back({pair.prompt, pair.rejected});
  }
  return sequences;
}

// Output paths for `out`.
struct SaeOutput {
  std::string folder;
  std::string file;
};

// Writing config.json next to FILE.npz must not replace another program's.
absl::StatusOr<SaeOutput> ResolveOutput(const std::string& out) {
  if (!absl::EndsWith(out, ".npz")) return SaeOutput{out, out + "/params.npz"};
  std::string folder = std::filesystem::path(out).parent_path().string();
  if (folder.empty()) folder = ".";
  if (std::filesystem::exists(folder + "/config.json") && !std::filesystem::exists(out)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "config.json in ", folder, " belongs to something else; give the SAE a folder of its own"));
  }
  return SaeOutput{folder, out};
}

absl::StatusOr<Tap> FindTap(const JobConfig& job, const GemmaConfig& config) {
  if (job.sae.size() != 1 || !job.sae[0].layer.has_value()) {
    return absl::InvalidArgumentError(
        "kind 'sae' needs exactly one sae section with layer and site: where to read the model");
  }
  const std::string& site = job.sae[0].site;
  Tap tap{*job.sae[0].layer, Site::kResidPost};
  if (!site.empty()) {
    FPO_ASSIGN_OR_RETURN(tap.site, ParseSite(site));
  }
  FPO_RETURN_IF_ERROR(CheckLayer(tap.layer, ShapeOf(config)));
  return tap;
}

class SaeTraining {
 public:
  SaeTraining(const JobConfig& job, SaeOutput output, EventSink& events)
      : job_(job), settings_(job.sae_training), output_(std::move(output)), events_(events) {}

  absl::Status Run(const Gemma& model, const Tap& tap, const std::vector<Sequence>& sequences);

 private:
  absl::Status Steps(SaeObjective& objective, ActivationSource& source, MetricsLog& log);
  absl::StatusOr<at::Tensor> NextRows(ActivationSource& source);
  void Report(int64_t step, std::map<std::string, double> metrics);
  absl::Status Finish(const SaeTensors& tensors, const Tap& tap, const SaeHealth& health);
  absl::Status Save(const SaeTensors& tensors, const Tap& tap, ActivationSource& source);

  const JobConfig& job_;
  const SaeTrainingSection& settings_;
  SaeOutput output_;
  EventSink& events_;
  absl::Time start_ = absl::Now();
  absl::Duration reading_;  // activations, since the last line of metrics
};

absl::StatusOr<at::Tensor> SaeTraining::NextRows(ActivationSource& source) {
  const absl::Time start = absl::Now();
  absl::StatusOr<at::Tensor> rows = source.Next(settings_.batch_tokens);
  reading_ += absl::Now() - start;
  return rows;
}

void SaeTraining::Report(int64_t step, std::map<std::string, double> metrics) {
  events_.Emit(StepEvent(step, settings_.steps, std::move(metrics)));
}

absl::Status SaeTraining::Steps(SaeObjective& objective, ActivationSource& source,
                                MetricsLog& log) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<Optimizer> optimizer,
                       MakeOptimizer("adam", objective.Parameters(), OptimizerOptions{}));
  GradientBuffer gradients(objective.Parameters());
  SparsityControl sparsity(settings_.target_l0, settings_.steps);
  // The last fifth of the steps anneals the rate, which settles L0 and the thresholds.
  const int64_t anneal = std::max<int64_t>(settings_.steps / 5, 1);
  for (int64_t step = 1; step <= settings_.steps; ++step) {
    const absl::Time start = absl::Now();
    FPO_ASSIGN_OR_RETURN(const at::Tensor rows, NextRows(source));
    const SaeLoss loss = objective.Loss(rows, sparsity.coefficient());
    const double value = loss.loss.item<double>(), l0 = loss.l0.item<double>();
    const double reconstruction = loss.reconstruction.item<double>();
    if (!std::isfinite(value)) {
      return FailWith(ExitCode::kNotFinite, absl::StrCat("the SAE's loss is ", value, " at step ",
                                                         step, "; lower sae_training.lr"));
    }
    AdvanceWork(0);  // a step of a wide SAE may take long
    loss.loss.backward();
    AdvanceWork(0);
    objective.ConstrainGradients();
    gradients.Collect();
    const double left =
        static_cast<double>(settings_.steps - step + 1) / static_cast<double>(anneal);
    optimizer->Step(gradients.gradients(), settings_.lr * std::min(1.0, left));
    gradients.Clear();
    objective.ConstrainParameters();
    const std::map<std::string, double> metrics = {
        {"loss", value},
        {"reconstruction", reconstruction},
        {"l0", l0},
        {"sparsity", sparsity.coefficient()},
        {"tokens", static_cast<double>(rows.size(0))},
        {"activation_seconds",
         absl::ToDoubleSeconds(std::exchange(reading_, absl::ZeroDuration()))},
        {"step_seconds", absl::ToDoubleSeconds(absl::Now() - start)}};
    sparsity.Observe(l0, reconstruction);
    FPO_RETURN_IF_ERROR(log.Append(step, 0, metrics));
    Report(step, metrics);
    AdvanceWork();  // of the steps
    if (StopRequested()) {
      return FailWith(ExitCode::kStopped, absl::StrCat("SAE training stopped on request at step ",
                                                       step, " of ", settings_.steps));
    }
  }
  return absl::OkStatus();
}

absl::Status SaeTraining::Save(const SaeTensors& tensors, const Tap& tap,
                               ActivationSource& source) {
  FPO_ASSIGN_OR_RETURN(const SparseAutoencoder sae, SparseAutoencoder::Create(tensors));
  SaeHealth health(sae);
  const int64_t rows = std::min<int64_t>(kHealthRows, 8 * settings_.batch_tokens);
  Work work("measuring L0 and what stays unexplained", rows, "tokens");
  for (int64_t done = 0; done < rows; done += settings_.batch_tokens) {
    work.SetDone(done);
    FPO_ASSIGN_OR_RETURN(const at::Tensor batch, source.Next(settings_.batch_tokens));
    health.Add(batch);
  }
  return Finish(tensors, tap, health);
}

absl::Status SaeTraining::Finish(const SaeTensors& tensors, const Tap& tap,
                                 const SaeHealth& health) {
  SaeParameters file;
  file.w_enc = tensors.w_enc.cpu().contiguous();
  file.w_dec = tensors.w_dec.cpu().contiguous();
  file.b_enc = tensors.b_enc.cpu().contiguous();
  file.b_dec = tensors.b_dec.cpu().contiguous();
  file.threshold = tensors.threshold.cpu().contiguous();
  file.layer = tap.layer;
  file.site = SiteName(tap.site);
  file.target_l0 = settings_.target_l0;
  file.l0 = health.L0();
  FPO_RETURN_IF_ERROR(AsStorageError(WriteSaeFile(output_.folder, file)));
  std::error_code error;
  std::filesystem::rename(output_.folder + "/params.npz", output_.file, error);
  if (error) {
    return FailWith(ExitCode::kStorage,
                    absl::StrCat("cannot write ", output_.file, ": ", error.message()));
  }
  TrainEvent result = ResultEvent(output_.file, settings_.steps,
                                  {{"l0", health.L0()},
                                   {"target_l0", settings_.target_l0},
                                   {"fvu", health.Fvu()},
                                   {"train_seconds", absl::ToDoubleSeconds(absl::Now() - start_)},
                                   {"memory_peak_bytes", static_cast<double>(PeakMemoryBytes())}},
                                  DeviceTexts(tensors.w_enc.device()));
  const std::string note = absl::StrFormat(
      "SAE: %d features, %.1f active per token (target: %g), %.1f %% of the variance unexplained",
      settings_.width, health.L0(), settings_.target_l0, 100 * health.Fvu());
  events_.Emit(PhaseEvent("finish", note));
  for (const std::string& sentence : SaeWarnings(settings_, health.L0(), health.Fvu())) {
    events_.Emit(WarningEvent(sentence));
  }
  events_.Emit(std::move(result));
  return absl::OkStatus();
}

absl::Status SaeTraining::Run(const Gemma& model, const Tap& tap,
                              const std::vector<Sequence>& sequences) {
  ActivationSource::Options reading;
  reading.tap = tap;
  reading.buffer_rows = std::clamp<int64_t>(32 * settings_.batch_tokens, 8192, 1 << 18);
  reading.rows_wanted = (settings_.steps + 1) * settings_.batch_tokens;
  reading.seed = static_cast<uint64_t>(job_.seed);
  ActivationSource source(model, sequences, reading);
  const Work steps({"train", "", 0, settings_.steps, "steps"});
  FPO_ASSIGN_OR_RETURN(const at::Tensor sample, NextRows(source));
  SaeObjectiveOptions options;
  options.width = source.width();
  options.features = settings_.width;
  options.input_scale = SaeInputScale(sample);
  options.seed = static_cast<uint64_t>(job_.seed);
  options.device = sample.device();
  SaeObjective objective(options);
  objective.InitialiseFrom(sample);
  std::error_code error;
  std::filesystem::create_directories(output_.folder, error);
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<MetricsLog> log,
                       MetricsLog::Open(output_.folder + "/metrics.jsonl", -1));
  FPO_RETURN_IF_ERROR(Steps(objective, source, *log));
  return Save(objective.Export(), tap, source);
}

}  // namespace

std::vector<std::string> SaeWarnings(const SaeTrainingSection& settings, double l0, double fvu) {
  std::vector<std::string> warnings;
  if (l0 > kL0Factor * settings.target_l0 || l0 < settings.target_l0 / kL0Factor) {
    warnings.push_back(absl::StrFormat(
        "the SAE has %.3g active features per token, sae_training.target_l0 asks for %g: it has "
        "not "
        "settled after %d steps; raise sae_training.steps (or lr), or give it more data",
        l0, settings.target_l0, settings.steps));
  }
  if (fvu > kFvuMax) {
    warnings.push_back(absl::StrFormat(
        "%.0f %% of the variance of the activations stays unexplained by the SAE: its features say "
        "little about the model; raise sae_training.steps, width or target_l0",
        100 * fvu));
  }
  return warnings;
}

absl::Status TrainSae(const JobConfig& job, const TrainSaeOptions& options, EventSink& events) {
  FPO_ASSIGN_OR_RETURN(const SaeOutput output, ResolveOutput(options.out));
  std::string prepared = options.prepared;
  std::function<void(const std::string&)> warn = WarnOn(events);
  if (prepared.empty()) {
    prepared = output.folder + "/prepared";
    FPO_RETURN_IF_ERROR(CheckModel(job.model.path, std::exchange(warn, nullptr)));
    FPO_RETURN_IF_ERROR(PrepareData(job, prepared, events).status());
  }
  FPO_ASSIGN_OR_RETURN(const TokenFile tokens, TokenFile::Open(prepared + "/train.safetensors"));
  FPO_RETURN_IF_ERROR(CheckIdsFit(tokens, job.model.path));
  FPO_ASSIGN_OR_RETURN(const LoadedModel model,
                       LoadModel({job.model.path, job.model.dtype, options.device, false, warn}));
  WarnOfSlowDtype(job.model.dtype, options.device, events);
  FPO_ASSIGN_OR_RETURN(const Tap tap, FindTap(job, model.model.config()));
  return SaeTraining(job, output, events).Run(model.model, tap, AllSequences(tokens));
}

}  // namespace fpo::train
