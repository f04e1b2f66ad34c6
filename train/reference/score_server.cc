#include "train/reference/score_server.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/data/token_file.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/loop/dtype_advice.h"
#include "train/loop/id_range.h"
#include "train/loop/model_flops.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/reference_file.h"
#include "train/reference/reference_plan.h"
#include "train/reference/scorer.h"
#include "train/runs/data_plan.h"

namespace fpo::train {
namespace {

// Checks the recipe that `prepare` recorded for this folder.
absl::Status CheckPlan(const std::string& prepared, const Recipe& recipe) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(prepared + "/reference.json"));
  const auto plan = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const std::string planned =
      plan.is_object() && plan.contains("recipe_id") && plan["recipe_id"].is_string()
          ? plan["recipe_id"].get<std::string>()
          : "";
  const std::string own = ToHex(RecipeId(recipe));
  if (planned == own) return absl::OkStatus();
  return FailWith(ExitCode::kForeignCache,
                  absl::StrCat(prepared, "/reference.json was planned for recipe ", planned,
                               " but model and SAE give ", own,
                               "; they changed since 'prepare': run it again"));
}

struct Server {
  const Scorer& scorer;
  const LoadedModel& model;
  const Recipe& recipe;
  const std::vector<ReferenceResponse>& responses;
  EventSink& events;

  absl::Status Answer(const TrainCommand& command) const;
};

absl::Status Server::Answer(const TrainCommand& command) const {
  std::vector<ReferenceResponse> wanted;
  std::vector<Sequence> sequences;
  for (const int64_t ordinal : command.ordinals) {
    if (ordinal < 0 || ordinal >= static_cast<int64_t>(responses.size())) {
      return absl::InvalidArgumentError(absl::StrCat("score command asks for ordinal ", ordinal,
                                                     "; there are ", responses.size(),
                                                     " responses"));
    }
    wanted.push_back(responses[ordinal]);
    sequences.push_back({wanted.back().prompt, wanted.back().response});
  }
  const absl::Time start = absl::Now();
  const int64_t total = static_cast<int64_t>(wanted.size());
  FPO_ASSIGN_OR_RETURN(const std::vector<Record> records,
                       scorer.Score(sequences, [] { return !StopRequested(); }));
  FPO_RETURN_IF_ERROR(model.CheckUnchanged());
  FPO_RETURN_IF_ERROR(WriteRecords(command.file, recipe, wanted, records));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const double rate = seconds > 0 ? static_cast<double>(total) / seconds : 0;
  events.Emit(RecordsEvent(command.file, total,
                           {{"seconds", seconds},
                            {"records_per_second", rate},
                            {"flops", ForwardFlops(model.model.config(), sequences)}}));
  return absl::OkStatus();
}

}  // namespace

absl::Status ServeScores(const JobConfig& job, const ScoreServerOptions& options,
                         CommandReader& commands, EventSink& events) {
  FPO_ASSIGN_OR_RETURN(const TokenFile train,
                       TokenFile::Open(options.prepared + "/train.safetensors"));
  FPO_ASSIGN_OR_RETURN(const TokenFile eval,
                       TokenFile::Open(options.prepared + "/eval.safetensors"));
  FPO_ASSIGN_OR_RETURN(const std::vector<EvalTokens> more_eval,
                       OpenEvalSets(job, options.prepared));
  for (const TokenFile* tokens : {&train, &eval}) {
    FPO_RETURN_IF_ERROR(CheckIdsFit(*tokens, ReferencePath(job)));
  }
  for (const EvalTokens& set : more_eval) {
    FPO_RETURN_IF_ERROR(CheckIdsFit(set.tokens, ReferencePath(job)));
  }
  const JobTokens tokens{train, eval, more_eval};
  const std::vector<ReferenceResponse> responses =
      ReferenceResponses(tokens, PairsOfJob(job, tokens));
  ModelRequest request = ReferenceRequest(job, options.device);
  request.warn = WarnOn(events);
  FPO_ASSIGN_OR_RETURN(const LoadedModel model, LoadModel(request));
  WarnOfSlowDtype(job.model.dtype, options.device, events);
  Scorer::Options scoring;
  if (UsesFeatures(job)) {
    FPO_ASSIGN_OR_RETURN(scoring.saes, LoadFeatureMaps(job, model.model.config(), options.device));
    WarnOfSaes(scoring.saes, WarnOn(events));
  }
  FPO_ASSIGN_OR_RETURN(scoring.top_features, TopFeatures(FeaturesWord(job.reference)));
  scoring.halve = job.retry.on_oom == "retry";
  scoring.warn = WarnOn(events);
  const Recipe recipe =
      MakeRecipe(RecipeInputsOf(job, model.identity(), options.device), scoring.saes);
  FPO_RETURN_IF_ERROR(CheckPlan(options.prepared, recipe));
  const Scorer scorer(model.model, std::move(scoring));

  events.Emit(HelloEvent(absl::StrCat("scoring on ", DeviceClass(options.device)),
                         static_cast<int64_t>(responses.size())));
  const Server server{scorer, model, recipe, responses, events};
  while (true) {
    FPO_ASSIGN_OR_RETURN(const std::optional<TrainCommand> command, commands.Next());
    if (!command.has_value() || command->kind == "stop") return absl::OkStatus();
    if (command->kind == "score") FPO_RETURN_IF_ERROR(server.Answer(*command));
  }
}

}  // namespace fpo::train
