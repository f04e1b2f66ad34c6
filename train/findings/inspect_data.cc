#include "train/findings/inspect_data.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/durable_file.h"
#include "common/files/output_folder.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/findings/find_copies.h"
#include "train/findings/find_features.h"
#include "train/findings/findings_json.h"
#include "train/findings/findings_page.h"
#include "train/findings/pair_features.h"
#include "train/findings/pair_texts.h"
#include "train/loop/dtype_advice.h"
#include "train/loop/id_range.h"
#include "train/prepare/model_tokenizer.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/record_reference.h"
#include "train/reference/reference_file.h"
#include "train/reference/reference_plan.h"
#include "train/runs/prepare_data.h"

namespace fpo::train {
namespace {

constexpr size_t kSuspectsShown = 50;
constexpr double kChance = 0.55;  // agreement up to which the order of suspects means little

absl::Status CheckJob(const JobConfig& job, const std::string& out) {
  if (job.kind == "sae" || job.kind == "generate" || job.kind == "judge" ||
      job.method.name == "sft") {
    return absl::InvalidArgumentError(
        absl::StrCat("the job ", job.name, " (", job.kind == "train" ? job.method.name : job.kind,
                     ") has no pairs of responses to inspect; name a job of method fpo, or "
                     "another that compares two responses"));
  }
  FPO_ASSIGN_OR_RETURN(const std::optional<FolderRun> run, ReadFolderRun(out));
  if (!run.has_value()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      out, " holds ", run->Describe(), "; inspect-data writes into a folder of its own, e.g. ",
      "--out ", out, ".data"));
}

// The reference model and its records of all training pairs.
struct RecordedModel {
  LoadedModel model;
  std::vector<LoadedSae> saes;
  std::unique_ptr<RecordReference> records;
};

class Inspector {
 public:
  Inspector(const JobConfig& job, const InspectDataOptions& options, EventSink& events)
      : job_(job), options_(options), events_(events) {}

  absl::Status Prepare() {
    FPO_RETURN_IF_ERROR(CheckJob(job_, options_.out));
    FPO_RETURN_IF_ERROR(AsStorageError(MakeParentFolder(options_.out + "/findings.json")));
    prepared_ = options_.prepared;
    if (!prepared_.empty()) return absl::OkStatus();
    prepared_ = options_.out + "/prepared";
    FPO_RETURN_IF_ERROR(CheckModel(ReferencePath(job_), WarnOn(events_)));
    return PrepareData(job_, prepared_, events_).status();
  }

  absl::StatusOr<Findings> Run() {
    FPO_ASSIGN_OR_RETURN(const TokenFile train, TokenFile::Open(prepared_ + "/train.safetensors"));
    FPO_ASSIGN_OR_RETURN(const TokenFile eval, TokenFile::Open(prepared_ + "/eval.safetensors"));
    if (train.size() == 0 || !train.has_rejected()) {
      return absl::InvalidArgumentError(absl::StrCat(
          prepared_, " has no pairs of responses; prepare it with a job that compares two"));
    }
    FPO_ASSIGN_OR_RETURN(const Tokenizer tokenizer, OpenModelTokenizer(job_.model.path));
    const PairTexts texts(train, eval, tokenizer);
    Findings findings;
    findings.job = job_.name;
    findings.train_pairs = train.size();
    findings.eval_pairs = eval.size();
    findings.data_digest = ToHex(Sha256Of(ToBytes(train.digest()) + ToBytes(eval.digest())));
    groups_ = FindCopies(train, eval, texts, &findings);
    FPO_ASSIGN_OR_RETURN(const RecordedModel recorded, OpenRecords(train, eval, &findings));
    std::vector<int64_t> widths;
    for (const LoadedSae& sae : recorded.saes) widths.push_back(sae.sae.features());
    const PairFeatures features(recorded.records->file(), train, widths);
    FPO_RETURN_IF_ERROR(
        FindFeatures({features, train, texts, recorded.model.model, recorded.saes}, &findings));
    FPO_RETURN_IF_ERROR(Suspect(features, texts, &findings));
    Warn(&findings);
    FPO_RETURN_IF_ERROR(AsStorageError(WriteAll(train, features, findings)));
    return findings;
  }

 private:
  absl::StatusOr<RecordedModel> OpenRecords(const TokenFile& train, const TokenFile& eval,
                                            Findings* findings) {
    const std::string path = ReferencePath(job_);
    FPO_RETURN_IF_ERROR(CheckIdsFit(train, path));
    ModelRequest request = ReferenceRequest(job_, options_.device);
    request.warn = WarnOn(events_);
    FPO_ASSIGN_OR_RETURN(LoadedModel model, LoadModel(request));
    WarnOfSlowDtype(job_.model.dtype, options_.device, events_);
    std::vector<LoadedSae> saes;
    if (UsesFeatures(job_)) {
      FPO_ASSIGN_OR_RETURN(saes, LoadFeatureMaps(job_, model.model.config(), options_.device));
      WarnOfSaes(saes, WarnOn(events_));
    }
    const Recipe recipe = MakeRecipe(RecipeInputsOf(job_, model.identity(), options_.device), saes);
    PairSelection all;
    for (int64_t i = 0; i < train.size(); ++i) all.train.push_back(i);
    const std::vector<ReferenceResponse> responses = ReferenceResponses({train, eval, {}}, all);
    findings->recipe_id = ToHex(RecipeId(recipe));
    findings->records = options_.reference;
    if (options_.reference == "auto") {
      findings->records = options_.out + "/reference.fpr";
      Scorer::Options scoring;
      scoring.saes = saes;
      FPO_ASSIGN_OR_RETURN(scoring.top_features, TopFeatures(FeaturesWord(job_.reference)));
      scoring.halve = job_.retry.on_oom == "retry";
      scoring.warn = WarnOn(events_);
      FPO_ASSIGN_OR_RETURN(
          const ReferenceFileResult result,
          CompleteReferenceFile(
              {findings->records, recipe, responses},
              [&]() -> absl::StatusOr<Scorer> { return Scorer(model.model, scoring); },
              [] { return !StopRequested(); }));
      FPO_RETURN_IF_ERROR(model.CheckUnchanged());
      findings->records_computed = result.computed;
      findings->records_reused = result.reused;
    }
    RecordReference::Options reading{findings->records, recipe, {}, at::kCPU};
    for (const LoadedSae& sae : saes) reading.features.push_back(sae.sae.features());
    FPO_ASSIGN_OR_RETURN(auto records, RecordReference::Open(std::move(reading)));
    FPO_RETURN_IF_ERROR(records->Require(responses));
    return RecordedModel{std::move(model), std::move(saes), std::move(records)};
  }

  absl::Status Suspect(const PairFeatures& features, const PairTexts& texts, Findings* findings) {
    const auto row = [&](int64_t i) -> absl::StatusOr<SparseRow> {
      FPO_ASSIGN_OR_RETURN(PairFeatures::Row found, features.At(i));
      return std::move(found.differences);
    };
    const LabelledPairs pairs{findings->train_pairs, features.columns(), features.features(),
                              groups_, row};
    LabelCheckOptions options;
    options.seed = static_cast<uint64_t>(job_.seed);
    absl::StatusOr<LabelCheck> check = CheckLabels(pairs, options);
    if (absl::IsInvalidArgument(check.status())) {
      findings->labels_unchecked = std::string(check.status().message());
      return absl::OkStatus();
    }
    FPO_RETURN_IF_ERROR(check.status());
    for (const int64_t index : MostSuspect(check->right)) {
      FPO_ASSIGN_OR_RETURN(const PairFeatures::Row found, features.At(index));
      findings->suspects.push_back({texts.Show(false, index), check->right[index],
                                    found.logp_per_token, found.chosen_tokens,
                                    found.rejected_tokens});
    }
    findings->labels = *std::move(check);
    return absl::OkStatus();
  }

  // Those whose label is likelier wrong than right, the worst first.
  static std::vector<int64_t> MostSuspect(const std::vector<double>& right) {
    std::vector<int64_t> order;
    for (size_t i = 0; i < right.size(); ++i) {
      if (right[i] < 0.5) order.push_back(static_cast<int64_t>(i));
    }
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return right[static_cast<size_t>(a)] < right[static_cast<size_t>(b)];
    });
    order.resize(std::min(order.size(), kSuspectsShown));
    return order;
  }

  void Warn(Findings* findings) const {
    std::vector<std::string>& warnings = findings->warnings;
    const Findings& found = *findings;
    if (found.labels.has_value() && found.labels->agreement < kChance) {
      warnings.push_back(absl::StrFormat(
          "the records say little of the labels (%.0f %% agree; 50 is chance), so the order of "
          "suspect labels means little",
          100 * found.labels->agreement));
    }
    if (!UsesFeatures(job_)) {
      warnings.push_back(absl::StrCat("method ", job_.method.name,
                                      " uses no features, so none are compared; a job of method "
                                      "fpo with an sae has them"));
    }
    if (found.shared.pairs > 0) {
      warnings.push_back(absl::StrCat(found.shared.pairs, " of ", found.eval_pairs,
                                      " evaluation pairs are training pairs too"));
    }
    if (found.repeated.contradictions > 0) {
      warnings.push_back(absl::StrCat(found.repeated.contradictions,
                                      " pairs contradict another one: the same two responses to "
                                      "the same prompt with the other one chosen"));
    }
    for (const std::string& warning : warnings) events_.Emit(WarningEvent(warning));
  }

  absl::Status WriteAll(const TokenFile& train, const PairFeatures& features,
                        const Findings& findings) const {
    FPO_ASSIGN_OR_RETURN(const auto file, DurableFile::Create(options_.out + "/pairs.jsonl"));
    for (int64_t i = 0; i < train.size(); ++i) {
      FPO_ASSIGN_OR_RETURN(const PairFeatures::Row row, features.At(i));
      FPO_RETURN_IF_ERROR(file->Append(
          InspectedPairJson({i, train.pair(i), train.row_id(i), groups_[static_cast<size_t>(i)]},
                            row, findings.labels) +
          "\n"));
    }
    FPO_RETURN_IF_ERROR(file->Finish());
    const std::string json = FindingsJson(findings);
    FPO_RETURN_IF_ERROR(WriteFileAtomically(options_.out + "/findings.html", FindingsPage(json)));
    return WriteFileAtomically(options_.out + "/findings.json", json);
  }

  const JobConfig& job_;
  const InspectDataOptions& options_;
  EventSink& events_;
  std::string prepared_;
  std::vector<int64_t> groups_;  // of training pairs
};

}  // namespace

absl::StatusOr<Findings> InspectData(const JobConfig& job, const InspectDataOptions& options,
                                     EventSink& events) {
  Inspector inspector(job, options, events);
  FPO_RETURN_IF_ERROR(inspector.Prepare());
  return inspector.Run();
}

}  // namespace fpo::train
