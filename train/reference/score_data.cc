#include "train/reference/score_data.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/durable_file.h"
#include "common/inputs/model_home.h"
#include "common/observe/work.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "train/data/admission.h"
#include "train/data/admission_notes.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/loop/dtype_advice.h"
#include "train/loop/model_loader.h"
#include "train/prepare/model_tokenizer.h"
#include "train/reference/reference_file.h"
#include "train/reference/reference_plan.h"
#include "train/reference/scorer.h"
#include "train/rows/preference_dataset.h"
#include "train/runs/prepare_data.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

struct TokenisedData {
  std::vector<TokenPair> pairs;
  AdmissionReport report;
};

absl::StatusOr<TokenisedData> ReadPairs(const ScoreDataOptions& options, EventSink& events) {
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(options.model));
  FPO_ASSIGN_OR_RETURN(const Tokenizer tokenizer, OpenModelTokenizer(options.model));
  for (const std::string& sentence : tokenizer.warnings()) events.Emit(WarningEvent(sentence));
  FPO_ASSIGN_OR_RETURN(const ChatTemplate chat_template,
                       ChatTemplate::Create(options.data.template_name, tokenizer, home));
  AdmissionLimits limits;
  limits.max_length = options.data.max_length;
  limits.max_prompt_length = options.data.max_prompt_length;
  limits.max_pairs = options.data.max_pairs;
  limits.pairs_required = false;
  Admission admission(tokenizer, chat_template, limits);
  TokenisedData data;
  const DatasetOptions files{options.data.train,
                             {options.data.format, options.data.columns},
                             options.data.max_bad_fraction};
  const Work reading({"prepare", "tokenising the data", 0, 0, "rows"});
  const auto visit = [&](PreferenceRow&& row) -> absl::Status {
    if (admission.full()) return absl::CancelledError();
    FPO_ASSIGN_OR_RETURN(std::vector<TokenPair> pairs, admission.Admit(row));
    for (TokenPair& pair : pairs) data.pairs.push_back(std::move(pair));
    AdvanceWork();
    return absl::OkStatus();
  };
  FPO_ASSIGN_OR_RETURN(const DatasetCounts counts, ReadPreferenceRows(files, visit));
  for (const std::string& text : chat_template.warnings()) events.Emit(WarningEvent(text));
  data.report = admission.Report();
  data.report.rows = counts.rows;
  data.report.malformed = counts.malformed;
  data.report.malformed_examples = counts.malformed_examples;
  if (data.pairs.empty()) {
    return absl::InvalidArgumentError(NothingAdmitted("the data", data.report));
  }
  return data;
}

Json RecordJson(const Record& record, bool with_features) {
  Json json;
  json["sum_logp"] = record.sum_logp;
  json["tokens"] = record.tokens;
  if (!with_features) return json;
  json["features"] = Json::array();
  for (const auto& [index, value] : record.features.front()) {
    json["features"].push_back({index, value});
  }
  return json;
}

// `records` holds the chosen and, where there is one, the rejected side of each pair in turn.
absl::Status WriteJsonLines(const std::string& path, const std::vector<TokenPair>& pairs,
                            const std::vector<Record>& records) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<DurableFile> file, DurableFile::Create(path));
  size_t next = 0;
  for (const TokenPair& pair : pairs) {
    const bool features = !records[next].features.empty();
    Json line;
    line["index"] = pair.row;
    line["id"] = pair.row_id;
    line["chosen"] = RecordJson(records[next++], features);
    if (!pair.rejected.empty()) line["rejected"] = RecordJson(records[next++], features);
    FPO_RETURN_IF_ERROR(file->Append(line.dump() + "\n"));
  }
  return file->Finish();
}

absl::Status WriteDistinct(const ScoreDataOptions& options, const Recipe& recipe,
                           const std::vector<Sequence>& sequences,
                           const std::vector<Record>& records) {
  std::map<Digest, size_t> seen;
  std::vector<ReferenceResponse> responses;
  std::vector<Record> distinct;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Digest key = RecordKey(sequences[i].prompt, sequences[i].response);
    if (!seen.emplace(key, i).second) continue;
    responses.push_back({key, sequences[i].prompt, sequences[i].response});
    distinct.push_back(records[i]);
  }
  return WriteRecords(options.out, recipe, responses, distinct);
}

absl::Status CheckOutput(const std::string& out) {
  if (absl::EndsWith(out, ".jsonl") || absl::EndsWith(out, ".fpr")) return absl::OkStatus();
  return FailWith(ExitCode::kUsage,
                  absl::StrCat("--out ", out,
                               " must end in .jsonl (text, one line a pair) or .fpr "
                               "(a record file)"));
}

}  // namespace

absl::Status ScoreData(const ScoreDataOptions& options, EventSink& events) {
  FPO_RETURN_IF_ERROR(CheckOutput(options.out));
  FPO_ASSIGN_OR_RETURN(const TokenisedData data, ReadPairs(options, events));
  EmitAdmission("data", data.report, events);
  FPO_ASSIGN_OR_RETURN(const LoadedModel model, LoadModel({options.model, options.dtype,
                                                           options.device, false, WarnOn(events)}));
  WarnOfSlowDtype(options.dtype, options.device, events);
  Scorer::Options scoring;
  scoring.tokens_per_batch = options.tokens_per_batch;
  FPO_ASSIGN_OR_RETURN(scoring.top_features, TopFeatures(options.features));
  if (options.sae.has_value()) {
    FPO_ASSIGN_OR_RETURN(scoring.saes,
                         LoadSaes({*options.sae}, model.model.config(), options.device));
    WarnOfSaes(scoring.saes, WarnOn(events));
  }
  const Recipe recipe = MakeRecipe({model.digest, model.model.config().architecture, options.dtype,
                                    DeviceClass(options.device), options.features},
                                   scoring.saes);
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : data.pairs) {
    sequences.push_back({pair.prompt, pair.chosen});
    if (!pair.rejected.empty()) sequences.push_back({pair.prompt, pair.rejected});
  }
  const absl::Time start = absl::Now();
  FPO_ASSIGN_OR_RETURN(
      const std::vector<Record> records,
      Scorer(model.model, std::move(scoring)).Score(sequences, [] { return !StopRequested(); }));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  FPO_RETURN_IF_ERROR(model.CheckUnchanged());
  FPO_RETURN_IF_ERROR(AsStorageError(absl::EndsWith(options.out, ".fpr")
                                         ? WriteDistinct(options, recipe, sequences, records)
                                         : WriteJsonLines(options.out, data.pairs, records)));
  const auto count = static_cast<int64_t>(records.size());
  events.Emit(RecordsEvent(
      options.out, count,
      {{"seconds", seconds}, {"records_per_second", static_cast<double>(count) / seconds}}));
  return absl::OkStatus();
}

}  // namespace fpo::train
