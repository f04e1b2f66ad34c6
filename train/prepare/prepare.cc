#include "train/prepare/prepare.h"

#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/durable_file.h"
#include "common/files/output_folder.h"
#include "common/hash.h"
#include "common/inputs/model_home.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/chat/chat_template.h"
#include "train/data/admission.h"
#include "train/data/admission_notes.h"
#include "train/data/pair_identity.h"
#include "train/data/row_encoder.h"
#include "train/data/token_file.h"
#include "train/prepare/eval_sets.h"
#include "train/prepare/model_tokenizer.h"
#include "train/rows/preference_dataset.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kBatchRows = 256;

AdmissionLimits LimitsOf(const JobConfig& job) {
  AdmissionLimits limits;
  limits.max_length = job.data.max_length;
  limits.max_prompt_length = job.data.max_prompt_length;
  limits.max_pairs = job.data.max_pairs;
  limits.chosen_only = job.kind != "sae" && job.method.name == "sft";
  limits.train_on = job.data.train_on == "last_turn"    ? AdmissionLimits::TrainOn::kLastTurn
                    : job.data.train_on == "first_turn" ? AdmissionLimits::TrainOn::kFirstTurn
                                                        : AdmissionLimits::TrainOn::kAllTurns;
  // An SAE learns from any text; all other jobs but SFT and KTO compare two responses.
  limits.labelled = job.kind != "sae" && job.method.name == "kto";
  limits.pairs_required = job.kind != "sae" && job.method.name != "sft" && job.method.name != "kto";
  return limits;
}

absl::Status CheckLimits(const JobConfig& job) {
  if (job.data.train.empty() && job.kind != "evaluate") {
    return absl::InvalidArgumentError("data.train names no file");
  }
  if (job.data.max_prompt_length < 8 || job.data.max_prompt_length >= job.data.max_length) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.max_prompt_length is ", job.data.max_prompt_length,
                     "; it must be at least 8 and below data.max_length, ", job.data.max_length,
                     ", so that a response is left"));
  }
  return absl::OkStatus();
}

// The run's admission.json would be overwritten.
absl::Status CheckIsNoRun(const std::string& out) {
  FPO_ASSIGN_OR_RETURN(const std::optional<FolderRun> run, ReadFolderRun(out));
  if (!run.has_value()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(out, " holds ", run->Describe(),
                                               "; prepare writes into a folder of its own, e.g. ",
                                               "--out ", out, ".prepared"));
}

// Everything the two inputs share.
struct Preparation {
  const JobConfig& job;
  const Tokenizer& tokenizer;
  const ChatTemplate& chat_template;
  std::optional<int64_t> rows_max = std::nullopt;  // of each input; the rest is not read
};

// Rows of one input, in batches: encoded together, counted and written in order.
class InputPass {
 public:
  InputPass(const Preparation& work, const AdmissionLimits& limits)
      : limits_(limits), admission_(work.tokenizer, work.chat_template, limits) {}

  // Cancelled when no more rows are wanted.
  absl::Status Take(PreferenceRow&& row) {
    rows_.push_back(std::move(row));
    // No batch is larger than what is still wanted: rows beyond it would count as read.
    const int64_t wanted = std::min(kBatchRows, admission_.room());
    return static_cast<int64_t>(rows_.size()) < wanted ? absl::OkStatus() : Flush();
  }

  absl::Status Flush() {
    FPO_ASSIGN_OR_RETURN(auto encoded, EncodeRows(admission_, rows_));
    for (size_t i = 0; i < rows_.size() && !admission_.full(); ++i) {
      for (const TokenPair& pair : admission_.Decide(rows_[i], std::move(encoded[i]))) {
        writer_.Add(pair);
        identities_.push_back(IdentityOf({pair.prompt, pair.chosen, pair.rejected, pair.row}));
        row_of_.push_back(pair.row);
      }
    }
    AdvanceWork(static_cast<int64_t>(rows_.size()));
    rows_.clear();
    return admission_.full() ? absl::CancelledError("max_pairs reached") : absl::OkStatus();
  }

  AdmissionReport Report() const { return admission_.Report(); }
  absl::Status Write(const std::string& path, const std::map<std::string, std::string>& metadata) {
    if (limits_.labelled) {
      FPO_RETURN_IF_ERROR(writer_.AddMismatchedResponses(limits_.max_length));
    }
    return writer_.Write(path, metadata);
  }

  // What this evaluation data shares with the training data.
  void CountShared(const InputPass& train, AdmissionReport* report) const {
    report->shared = FindSharedPairs(train.identities_, identities_);
    if (report->shared.examples.empty()) return;
    const SharedPairs::Example& first = report->shared.examples.front();
    report->shared_eval_row = row_of_[static_cast<size_t>(first.eval)];
    report->shared_train_row = train.row_of_[static_cast<size_t>(first.train)];
  }

 private:
  const AdmissionLimits limits_;
  Admission admission_;
  TokenFileWriter writer_;
  std::vector<PairIdentity> identities_;  // of the pairs written
  std::vector<int64_t> row_of_;
  std::vector<PreferenceRow> rows_;
};

struct Input {
  std::string name;  // train | eval
  const std::vector<std::string>& files;
};

// Reads an input through `pass`. InvalidArgument when nothing of it is admitted.
absl::StatusOr<AdmissionReport> ReadInput(const Preparation& work, const Input& input,
                                          InputPass* pass) {
  if (input.files.empty()) return pass->Report();
  const JobConfig& job = work.job;
  const DatasetOptions options{
      input.files, {job.data.format, job.data.columns}, job.data.max_bad_fraction};
  int64_t left = work.rows_max.value_or(std::numeric_limits<int64_t>::max());
  FPO_ASSIGN_OR_RETURN(const DatasetCounts counts,
                       ReadPreferenceRows(options, [&](PreferenceRow&& row) {
                         const absl::Status taken = pass->Take(std::move(row));
                         if (!taken.ok()) return taken;
                         return --left > 0 ? taken : absl::CancelledError("enough rows");
                       }));
  const absl::Status rest = pass->Flush();
  if (!rest.ok() && !absl::IsCancelled(rest)) return rest;
  AdmissionReport report = pass->Report();
  report.rows = counts.rows;
  report.malformed = counts.malformed;
  report.malformed_examples = counts.malformed_examples;
  if (report.admitted > 0) return report;
  return absl::InvalidArgumentError(NothingAdmitted(absl::StrCat("data.", input.name), report));
}

// Of kto, when neither weight makes up for labels of unequal number (Ethayarajh 2024, eq. 8; TRL
// warns alike); else "".
std::string LabelWarning(const MethodSection& method, const AdmissionReport& report) {
  const auto desirable = static_cast<double>(report.desirable);
  const auto undesirable = static_cast<double>(report.undesirable);
  if (desirable == undesirable) return "";
  const double ratio =
      method.desirable_weight * desirable / (method.undesirable_weight * undesirable);
  if (ratio >= 0.99 && ratio <= 1.34) return "";
  return absl::StrFormat(
      "data.train has %d desirable and %d undesirable examples: method.desirable_weight * %d / "
      "(method.undesirable_weight * %d) is %.3g, and 1 to 1.33 is usual",
      report.desirable, report.undesirable, report.desirable, report.undesirable, ratio);
}

absl::StatusOr<std::string> TokenDigests(const JobConfig& job, const std::string& out) {
  std::string digests;
  for (const char* name : {"train", "eval"}) {
    FPO_ASSIGN_OR_RETURN(const TokenFile file,
                         TokenFile::Open(absl::StrCat(out, "/", name, ".safetensors")));
    digests += ToBytes(file.digest());
  }
  FPO_ASSIGN_OR_RETURN(const std::vector<EvalTokens> sets, OpenEvalSets(job, out));
  for (const EvalTokens& set : sets) digests += ToBytes(set.tokens.digest());
  return ToHex(Sha256Of(digests));
}

absl::Status WriteSummary(const PrepareSummary& summary, const std::string& out) {
  FPO_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(out, "/admission.json"),
                          AdmissionJson(summary.train, &summary.eval, summary.more_eval)));
  const nlohmann::ordered_json json = {
      {"train_pairs", summary.train_pairs},
      {"eval_pairs", summary.eval_pairs},
      {"tokens", {{"train", summary.train.tokens}, {"eval", summary.eval.tokens}}},
      {"digest", summary.digest}};
  return WriteFileAtomically(absl::StrCat(out, "/prepare.json"), json.dump(2) + "\n");
}

}  // namespace

absl::StatusOr<PrepareSummary> Prepare(const JobConfig& job, const std::string& out) {
  FPO_RETURN_IF_ERROR(CheckLimits(job));
  FPO_RETURN_IF_ERROR(CheckIsNoRun(out));
  FPO_ASSIGN_OR_RETURN(const Tokenizer tokenizer, OpenModelTokenizer(job.model.path));
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(job.model.path));
  FPO_ASSIGN_OR_RETURN(const ChatTemplate chat_template,
                       ChatTemplate::Create(job.data.template_name, tokenizer, home));
  std::error_code error;
  fs::create_directories(out, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot create ", out, ": ", error.message()));
  }
  fs::remove(absl::StrCat(out, "/prepare.json"), error);  // marks a complete folder
  const std::map<std::string, std::string> metadata = {
      {"template", chat_template.name()},
      {"tokenizer", tokenizer.present().ok() ? ToHex(tokenizer.digest()) : "none"},
      {"max_length", absl::StrCat(job.data.max_length)},
      {"max_prompt_length", absl::StrCat(job.data.max_prompt_length)}};
  const Preparation work{job, tokenizer, chat_template};
  AdmissionLimits limits = LimitsOf(job);
  PrepareSummary summary;
  summary.warnings = tokenizer.warnings();
  if (tokenizer.spare_rows() > 0) {
    summary.notes.push_back(absl::StrCat("the model's embedding has ", tokenizer.spare_rows(),
                                         " rows more than the tokenizer has ids (",
                                         tokenizer.size(), "); no text reaches them"));
  }
  const auto prepare = [&](const Input& input, InputPass* pass) -> absl::StatusOr<AdmissionReport> {
    const Work reading({"prepare", absl::StrCat("tokenising data.", input.name), 0, 0, "rows"});
    FPO_ASSIGN_OR_RETURN(AdmissionReport report, ReadInput(work, input, pass));
    const absl::Status written =
        pass->Write(absl::StrCat(out, "/", input.name, ".safetensors"), metadata);
    if (absl::IsInvalidArgument(written)) {
      return absl::InvalidArgumentError(absl::StrCat("data.", input.name, ": ", written.message()));
    }
    FPO_RETURN_IF_ERROR(written);
    return report;
  };
  InputPass train(work, limits);
  FPO_ASSIGN_OR_RETURN(summary.train, prepare({"train", job.data.train}, &train));
  if (std::string warning = LabelWarning(job.method, summary.train); !warning.empty()) {
    summary.warnings.push_back(std::move(warning));
  }
  limits.max_pairs.reset();
  InputPass eval(work, limits);
  FPO_ASSIGN_OR_RETURN(summary.eval, prepare({"eval", job.data.eval}, &eval));
  eval.CountShared(train, &summary.eval);
  for (const EvalSetSection& set : job.data.more_eval) {
    InputPass pass(work, limits);
    FPO_ASSIGN_OR_RETURN(AdmissionReport report, prepare({"eval." + set.name, set.files}, &pass));
    pass.CountShared(train, &report);
    summary.more_eval.push_back({set.name, std::move(report)});
  }
  const bool has_turns = summary.train.template_name != "none";
  FPO_RETURN_IF_ERROR(WriteTurnRecord(has_turns ? chat_template.record() : TurnRecord{}, out));
  for (const std::string& warning : chat_template.warnings()) summary.warnings.push_back(warning);
  summary.train_pairs = summary.train.admitted;
  summary.eval_pairs = summary.eval.admitted;
  for (const auto& [name, report] : summary.more_eval) summary.eval_pairs += report.admitted;
  FPO_ASSIGN_OR_RETURN(summary.digest, TokenDigests(job, out));
  FPO_RETURN_IF_ERROR(WriteSummary(summary, out));
  return summary;
}

InputCheck CheckInputs(const JobConfig& job, int64_t rows_max) {
  InputCheck check;
  if (job.kind == "generate" || job.kind == "judge") return check;
  const auto note = [&](const std::string& key, const absl::Status& status) {
    if (!status.ok()) check.problems.push_back({0, key, std::string(status.message())});
    return status.ok();
  };
  if (!note("data", CheckLimits(job))) return check;
  const auto tokenizer = OpenModelTokenizer(job.model.path);
  if (!note("model.path", tokenizer.status())) return check;
  const auto home = ModelHome(job.model.path);
  if (!note("model.path", home.status())) return check;
  const auto chat_template = ChatTemplate::Create(job.data.template_name, *tokenizer, *home);
  if (!note("data.template", chat_template.status())) return check;
  check.warnings = tokenizer->warnings();
  const Preparation work{job, *tokenizer, *chat_template, rows_max};
  AdmissionLimits limits = LimitsOf(job);
  InputPass train(work, limits);
  limits.max_pairs.reset();
  std::vector<Input> inputs = {{"train", job.data.train}, {"eval", job.data.eval}};
  for (const EvalSetSection& set : job.data.more_eval) {
    inputs.push_back({"eval." + set.name, set.files});
  }
  for (const Input& input : inputs) {
    const std::string key = absl::StrCat("data.", input.name);
    const bool is_eval = input.name != "train";
    InputPass eval(work, limits);
    auto report = ReadInput(work, input, is_eval ? &eval : &train);
    if (!note(key, report.status()) || input.files.empty()) continue;
    if (is_eval) eval.CountShared(train, &*report);
    check.rows += report->rows;
    for (std::string& warning : AdmissionWarnings(key, *report)) {
      check.warnings.push_back(std::move(warning));
    }
  }
  for (const std::string& warning : chat_template->warnings()) check.warnings.push_back(warning);
  return check;
}

}  // namespace fpo::train
