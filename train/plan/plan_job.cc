#include "train/plan/plan_job.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/inputs/sae_source.h"
#include "common/job/job_file.h"
#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "train/device/process_memory.h"
#include "train/formats/safetensors_directory.h"
#include "train/loop/model_flops.h"
#include "train/loop/model_loader.h"
#include "train/model/lora.h"
#include "train/plan/plan_changes.h"
#include "train/plan/run_sizes.h"
#include "train/plan/speed_probe.h"
#include "train/prepare/prepare.h"
#include "train/reference/reference_plan.h"
#include "train/reference/scorer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

double Elapsed(absl::Time start) { return absl::ToDoubleSeconds(absl::Now() - start); }

// Removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "fpo-plan-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The folder that a run would create lies in it.
std::string ExistingParent(const std::string& folder) {
  fs::path path = fs::absolute(folder);
  std::error_code error;
  while (!fs::is_directory(path, error) && path.has_relative_path()) path = path.parent_path();
  return path.string();
}

struct Rates {
  double write = 0;  // bytes a second, with the digest of a checkpoint; 0: not known
  double read = 0;
};

// What a run has beside tensors and libraries: heap of small blocks, kernels that libraries make,
// threads. Measured with bench/plan_accuracy.py, as what was left over the parts' sum.
constexpr int64_t kHeapBytes = int64_t{56} << 20;

// Since this process began.
double ProcessSeconds() {
  std::ifstream uptime_file("/proc/uptime"), stat_file("/proc/self/stat");
  double uptime = 0;
  std::string text;
  if (!(uptime_file >> uptime) || !std::getline(stat_file, text)) return 0;
  constexpr int kStartTime = 20;  // words after the program's name, which is in brackets
  std::istringstream words(text.substr(text.rfind(')') + 1));
  std::string word;
  for (int i = 0; i < kStartTime; ++i) words >> word;
  double ticks = 0;
  const auto hertz = static_cast<double>(sysconf(_SC_CLK_TCK));
  return absl::SimpleAtod(word, &ticks) ? std::max(0.0, uptime - ticks / hertz) : 0;
}

double WriteRate(const std::string& folder) {
  constexpr size_t kBytes = size_t{32} << 20;
  const std::string file = absl::StrCat(folder, "/.fpo-plan-", getpid());
  std::string block(kBytes, '\0');
  for (size_t i = 0; i < block.size(); i += 64) block[i] = static_cast<char>(i * 37 >> 6);
  const absl::Time start = absl::Now();
  bool written = WriteFileAtomically(file, block).ok();
  written = written && Sha256OfFile(file).ok();
  const double seconds = Elapsed(start);
  std::error_code error;
  fs::remove(file, error);
  return written ? static_cast<double>(kBytes) / seconds : 0;
}

class Planner {
 public:
  Planner(const JobConfig& job, const PlanOptions& options)
      : job_(job), options_(options), program_bytes_(CurrentMemoryBytes()) {}

  absl::StatusOr<RunPlan> Plan();

 private:
  absl::Status ReadShapes();
  absl::Status ReadData();
  absl::Status CountPresent();
  absl::Status Measure();
  void AddTimes();
  void AddMemory();
  void AddNotes();
  void Time(const std::string& phase, double seconds, const std::string& how) {
    plan_.times.push_back({phase, seconds, true, how});
  }
  int64_t Evaluations() const;
  // With so many bytes of state for each weight that is trained.
  int64_t StateOf(int64_t bytes) const;
  std::string OutFolder() const { return options_.out.empty() ? job_.output : options_.out; }

  const JobConfig& job_;
  const PlanOptions& options_;
  const int64_t program_bytes_;
  const absl::Time start_ = absl::Now();
  TemporaryFolder folder_;
  PlanFacts facts_;
  std::vector<LoadedSae> saes_;
  JobTokens Tokens() const { return {*train_, *eval_, more_eval_}; }

  std::optional<TokenFile> train_, eval_;
  std::vector<EvalTokens> more_eval_;
  std::optional<PlannedWork> work_;
  std::optional<MeasuredSpeed> speed_;
  std::string unmeasured_;  // why not
  Rates rates_;
  double start_seconds_ = 0, load_seconds_ = 0, prepare_seconds_ = 0;
  RunPlan plan_;
};

absl::Status Planner::ReadShapes() {
  // What libraries take at their first products, in any run.
  MeasuredPeakFlops(options_.device, ParseDtype(job_.model.dtype).value_or(at::kFloat));
  facts_.program_bytes = std::max(program_bytes_, CurrentMemoryBytes()) + kHeapBytes;
  start_seconds_ = ProcessSeconds();
  const absl::Time start = absl::Now();
  FPO_RETURN_IF_ERROR(CheckModel(job_.model.path, {}));
  FPO_ASSIGN_OR_RETURN(facts_.config, ReadModelConfig(job_.model.path));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory weights,
                       SafetensorsDirectory::Open(job_.model.path));
  facts_.weight_file_bytes = weights.Bytes();
  plan_.parameters = ParameterCount(facts_.config);
  // A copy of some of the weights: as many bytes a second as the run will read.
  constexpr int64_t kSampled = int64_t{64} << 20;
  int64_t sampled = 0;
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, ParseDtype(job_.model.dtype));
  for (const std::string& name : weights.Names()) {
    FPO_ASSIGN_OR_RETURN(const at::Tensor stored, weights.Tensor(name));
    const auto bytes = static_cast<int64_t>(stored.nbytes());
    if (stored.scalar_type() == dtype) facts_.same_type_bytes += bytes;
    if (sampled >= kSampled) continue;
    stored.clone();
    sampled += bytes;
  }
  rates_.read = static_cast<double>(sampled) / std::max(1e-6, Elapsed(start));
  if (!UsesFeatures(job_)) return absl::OkStatus();
  const absl::Time sae_start = absl::Now();
  FPO_ASSIGN_OR_RETURN(saes_, LoadFeatureMaps(job_, facts_.config, options_.device));
  load_seconds_ = Elapsed(sae_start);
  for (size_t i = 0; i < saes_.size(); ++i) {
    const SparseAutoencoder& sae = saes_[i].sae;
    constexpr double kUsualL0 = 64;
    facts_.saes.push_back({sae.width(), sae.features(), saes_[i].tap.layer, !sae.is_identity()});
    facts_.sae_l0.push_back(sae.is_identity() ? static_cast<double>(sae.features())
                                              : saes_[i].l0.value_or(kUsualL0));
    if (sae.is_identity()) continue;
    FPO_ASSIGN_OR_RETURN(const SaeSource source, FindSaeSource(saes_[i].path));
    std::error_code error;
    facts_.sae_file_bytes += static_cast<int64_t>(fs::file_size(source.weights, error));
  }
  return absl::OkStatus();
}

absl::Status Planner::ReadData() {
  std::string folder = options_.prepared;
  if (folder.empty()) {
    if (folder_.path().empty()) return absl::UnavailableError("cannot create a temporary folder");
    const absl::Time start = absl::Now();
    folder = folder_.path() + "/prepared";
    FPO_RETURN_IF_ERROR(Prepare(job_, folder).status());
    prepare_seconds_ = Elapsed(start);
  }
  FPO_ASSIGN_OR_RETURN(train_, TokenFile::Open(folder + "/train.safetensors"));
  FPO_ASSIGN_OR_RETURN(eval_, TokenFile::Open(folder + "/eval.safetensors"));
  FPO_ASSIGN_OR_RETURN(more_eval_, OpenEvalSets(job_, folder));
  plan_.train_pairs = train_->size();
  plan_.eval_pairs = EvaluatedPairs(job_, Tokens());
  if (job_.kind == "train" && train_->size() == 0) {
    return absl::InvalidArgumentError("no training pair was admitted: there is nothing to plan");
  }
  work_.emplace(WorkOf(job_, facts_, Tokens()));
  plan_.steps = work_->steps;
  plan_.micro_batches = work_->training.micro_batches;
  plan_.tokens = work_->training.tokens;
  plan_.records = work_->responses;
  return absl::OkStatus();
}

// A run that is started again finds the records of the first attempt.
absl::Status Planner::CountPresent() {
  const std::string file = OutFolder() + "/reference.fpr";
  std::error_code error;
  if (work_->missing.empty() || !fs::exists(file, error)) return absl::OkStatus();
  const auto records = RecordFile::Open(file);
  if (!records.ok()) return absl::OkStatus();  // as a run: counts as absent
  FPO_ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(ReferencePath(job_)));
  const Recipe recipe = MakeRecipe(RecipeInputsOf(job_, model, options_.device), saes_);
  if (!((*records)->recipe() == recipe)) return absl::OkStatus();
  std::erase_if(work_->missing, [&](const Sequence& sequence) {
    return (*records)->Contains(RecordKey(sequence.prompt, sequence.response));
  });
  plan_.records_present = work_->responses - static_cast<int64_t>(work_->missing.size());
  work_->scoring =
      BatchesOfScoring(work_->missing, Scorer::Options().tokens_per_batch, work_->rules);
  return absl::OkStatus();
}

absl::Status Planner::Measure() {
  if (options_.seconds_max <= 0) {
    unmeasured_ = "not measured";
    return absl::OkStatus();
  }
  const int64_t needed = HostBytes(PlanMemory(SizesOfRun(job_, facts_, *work_, true)));
  const bool fits = facts_.on_device || needed < AvailableMemoryBytes() * 4 / 5;
  FPO_ASSIGN_OR_RETURN(speed_, MeasureSpeed({job_, facts_, *work_, *train_, *eval_, saes_,
                                             options_.device, options_.seconds_max, fits}));
  rates_.write = WriteRate(ExistingParent(OutFolder()));
  return absl::OkStatus();
}

int64_t Planner::StateOf(int64_t bytes) const {
  return SizesOfRun(job_, facts_, *work_, false).step.model.TrainedParameters() * bytes;
}

int64_t Planner::Evaluations() const {
  if (plan_.eval_pairs == 0) return 0;
  if (job_.kind == "evaluate") return 1;
  if (job_.kind != "train") return 0;
  const int64_t every = job_.evaluate.every_steps;
  const int64_t due = every > 0 ? plan_.steps / every : 0;
  const bool last_is_due = every > 0 && plan_.steps % every == 0;
  return 1 + due + (last_is_due ? 0 : 1);
}

void Planner::AddTimes() {
  const std::vector<std::string> phases = {"load", "reference", "train", "evaluate", "checkpoints"};
  Time("start", start_seconds_, "as this program's own");
  Time("prepare", prepare_seconds_, options_.prepared.empty() ? "just done" : "already prepared");
  if (!speed_.has_value()) {
    for (const std::string& phase : phases) plan_.times.push_back({phase, 0, false, unmeasured_});
    return;
  }
  const MeasuredSpeed& speed = *speed_;
  const auto weights = static_cast<double>(facts_.weight_file_bytes);
  Time("load", load_seconds_ + weights / rates_.read + speed.score * work_->check.flops,
       "as fast as what was read here");
  Time("reference", speed.score * work_->scoring.flops,
       work_->missing.empty() ? "no record is missing" : speed.how);
  if (job_.kind == "train") {
    const auto steps = static_cast<double>(plan_.steps);
    Time("train", speed.train * work_->training.flops + steps * speed.update + speed.first,
         speed.how);
  }
  const auto evaluations = static_cast<double>(Evaluations());
  Time("evaluate", evaluations * speed.evaluate * work_->evaluation.flops,
       absl::StrCat(Evaluations(), " evaluations of ", plan_.eval_pairs, " pairs"));
  if (job_.kind != "train") return;
  if (plan_.eval_pairs > 0 && MakesFeatures(job_)) {
    // Measured once, with an SAE of 8,192 features: both models read the pairs, codes and texts.
    constexpr double kEvaluations = 4;
    const double share = static_cast<double>(std::min(job_.features.pairs, plan_.eval_pairs)) /
                         static_cast<double>(plan_.eval_pairs);
    Time("features",
         std::min(60.0 * static_cast<double>(job_.features.minutes),
                  kEvaluations * share * speed.evaluate * work_->evaluation.flops),
         "as four evaluations of its pairs; an estimate");
  }
  if (rates_.write <= 0) {
    plan_.times.push_back({"checkpoints", 0, false, "the output folder cannot be written here"});
    return;
  }
  const int64_t every = job_.checkpoint.every_steps;
  const int64_t count = every > 0 ? plan_.steps / every : 0;
  const bool rms = job_.optimizer.name == "rmsprop";
  const auto whole =
      static_cast<double>(StateOf(rms ? 8 : 12)) / static_cast<double>(job_.resources.slots);
  const int64_t waited = job_.checkpoint.background ? std::min<int64_t>(count, 1) : count;
  const auto exported =
      static_cast<double>(plan_.parameters * (job_.model.dtype == "float32" ? 4 : 2) +
                          (job_.adapter.on() ? StateOf(4) : 0));
  Time("checkpoints", (static_cast<double>(waited) * whole + exported) / rates_.write,
       absl::StrCat(count, " checkpoints", job_.checkpoint.background ? " beside training" : "",
                    " and the model, as fast as a file was written here"));
}

void Planner::AddMemory() {
  // A checkpoint that is written faster than the next step fills up leaves its memory to that.
  bool overlaps = true;
  if (speed_.has_value() && rates_.write > 0 && plan_.steps > 0) {
    const double step = (speed_->train * work_->training.flops) / static_cast<double>(plan_.steps);
    overlaps = static_cast<double>(StateOf(12)) / rates_.write > step / 3;
  }
  plan_.memory = PlanMemory(SizesOfRun(job_, facts_, *work_, overlaps));
  plan_.changes =
      ChangesFor(job_, {facts_.on_device, facts_.config.layers}, [&](const JobConfig& changed) {
        return PlanMemory(SizesOfRun(changed, facts_, WorkOf(changed, facts_, Tokens()), overlaps));
      });
}

void Planner::AddNotes() {
  if (job_.resources.slots > 1) {
    plan_.notes.push_back(
        absl::StrCat("memory and time are those of one rank of ", job_.resources.slots,
                     ", with its share of the pairs; what the ranks send each other takes no time "
                     "here"));
  }
  if (!job_.constraint.sets.empty() || job_.constraint.budget.has_value()) {
    plan_.notes.push_back("what a constraint's budget computes at the end of a run is not counted");
  }
  if (!facts_.saes.empty()) {
    plan_.notes.push_back("the size of the records is an estimate from the SAE's active features");
  }
  if (facts_.on_device) {
    plan_.notes.push_back(
        absl::StrCat("device memory is that of tensors and ",
                     "of the driver's context; pieces that the "
                     "allocator cannot use again come on top, and were not measured"));
  }
  plan_.notes.push_back("not looked at: room on disk, and what other programs take");
}

absl::StatusOr<RunPlan> Planner::Plan() {
  if (job_.kind != "train" && job_.kind != "reference" && job_.kind != "evaluate") {
    return absl::UnimplementedError(absl::StrCat(
        "a job of kind ", job_.kind, " has no plan; kinds train, reference and evaluate do"));
  }
  if (job_.adapter.on()) {
    const AdapterSection& adapter = job_.adapter;
    FPO_RETURN_IF_ERROR(MakeLoraConfig(adapter.rank, adapter.alpha, adapter.targets).status());
  }
  facts_.on_device = !options_.device.is_cpu();
  facts_.threads = at::get_num_threads();
  plan_.device = facts_.on_device ? "cuda" : "cpu";
  plan_.host_available_bytes = AvailableMemoryBytes();
  FPO_RETURN_IF_ERROR(ReadShapes());
  FPO_RETURN_IF_ERROR(ReadData());
  FPO_RETURN_IF_ERROR(CountPresent());
  FPO_RETURN_IF_ERROR(Measure());
  AddTimes();
  AddMemory();
  AddNotes();
  return std::move(plan_);
}

}  // namespace

absl::StatusOr<RunPlan> PlanJob(const JobConfig& job, const PlanOptions& options) {
  return Planner(job, options).Plan();
}

}  // namespace fpo::train
