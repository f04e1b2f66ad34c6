#include "common/job/sections/evaluate_fields.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

constexpr absl::string_view kHeldOut = "eval_";

// What a set must not be called: eval_NAME_METRIC would then be, or look like, another name.
bool IsTaken(const std::string& name) {
  for (const char* word : {"rewards", "logps", "divergence", "kl", "contract", "contracts",
                           "constraint", "entropy", "nll", "log_odds"}) {
    if (name == word) return true;
  }
  return absl::EndsWith(name, "_nll");
}

bool IsSetName(const std::string& name) {
  return !name.empty() && name.size() <= 32 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
}

void CheckSets(const JobConfig& config, std::vector<JobProblem>* problems) {
  const std::vector<std::string> names = EvalSetNames(config);
  const auto complain = [&](const std::string& name, std::string message) {
    problems->push_back({0, absl::StrCat("data.eval.", name), std::move(message)});
  };
  if (names.size() > kEvalSetsMax) {
    problems->push_back(
        {0, "data.eval",
         absl::StrCat("has ", names.size(), " sets; at most ", kEvalSetsMax, " are evaluated")});
  }
  for (const std::string& name : names) {
    if (!IsSetName(name)) complain(name, "a set's name is 1 to 32 of a-z, 0-9, - and _");
    if (IsTaken(name)) {
      complain(name, absl::StrCat("cannot be a set's name: its metrics, eval_", name,
                                  "_..., would look like others; choose another"));
    }
  }
  if (!config.data.eval_name.empty() && config.data.eval.empty()) {
    complain(config.data.eval_name, "names no file");
  }
  for (const EvalSetSection& set : config.data.more_eval) {
    if (set.files.empty()) complain(set.name, "names no file");
  }
}

}  // namespace

JobEntry EvaluateEntry(EvaluateSection* s) {
  // Written only where they are set: programs that lack them read every other job.
  const auto newer = [](JobField field, const char* absent) {
    field.unwritten = absent;
    return field;
  };
  return {JobEntry::Kind::kSection,
          "evaluate",
          "evaluation on data.eval",
          {{"every_steps",
            &s->every_steps,
            "steps between evaluations; 0: only at the end",
            {},
            0,
            1e9},
           {"pairs", &s->pairs, "first N held-out pairs", {}, 1, 1e9},
           newer({"patience",
                  &s->patience,
                  "end the run after N evaluations without improvement; null: never",
                  {},
                  1,
                  1e6},
                 "null"),
           newer({"min_improvement",
                  &s->min_improvement,
                  "with patience: what the metric must improve by, in its own unit",
                  {},
                  0,
                  1e12},
                 "0"),
           newer({"metric", &s->metric,
                  "of an evaluation, without eval_, of a set NAME/METRIC: decides which "
                  "checkpoint is the best, and patience"},
                 "\"loss\""),
           newer({"direction",
                  &s->direction,
                  "which value of the metric is better",
                  {"lower", "higher"},
                  -std::numeric_limits<double>::infinity(),
                  std::numeric_limits<double>::infinity(),
                  "as its name says"},
                 "\"\"")}};
}

std::vector<std::string> EvalSetNames(const JobConfig& config) {
  std::vector<std::string> names;
  if (!config.data.eval_name.empty()) names.push_back(config.data.eval_name);
  for (const EvalSetSection& set : config.data.more_eval) names.push_back(set.name);
  return names;
}

std::string DecidingMetric(const JobConfig& config) {
  const std::string& metric = config.evaluate.metric;
  for (const std::string& name : EvalSetNames(config)) {
    if (!absl::StartsWith(metric, name + "/")) continue;
    return absl::StrCat(kHeldOut, name, "_", metric.substr(name.size() + 1));
  }
  return absl::StartsWith(metric, kHeldOut) ? metric : absl::StrCat(kHeldOut, metric);
}

std::optional<bool> LowerDecides(const JobConfig& config) {
  if (!config.evaluate.direction.empty()) return config.evaluate.direction == "lower";
  const std::string metric = DecidingMetric(config);
  for (const char* word : {"accuracies", "margins"}) {
    if (absl::EndsWith(metric, word) && !absl::StrContains(metric, "kl/")) return false;
  }
  if (absl::EndsWith(metric, "loss")) return true;
  for (const char* part : {"divergence/", "kl/", "contract/"}) {
    if (absl::StrContains(metric, part)) return true;
  }
  return std::nullopt;
}

std::vector<JobProblem> EvaluateProblems(const JobConfig& config) {
  std::vector<JobProblem> problems;
  CheckSets(config, &problems);
  const auto complain = [&](const char* key, std::string message) {
    problems.push_back({0, absl::StrCat("evaluate.", key), std::move(message)});
  };
  const EvaluateSection& evaluate = config.evaluate;
  if (evaluate.metric.empty() || evaluate.metric == kHeldOut) {
    complain("metric", "is empty; a metric of evaluations, e.g. loss or rewards/accuracies");
  } else if (!LowerDecides(config).has_value()) {
    complain("direction", absl::StrCat("is missing: whether a lower or a higher ", evaluate.metric,
                                       " is better does not follow from its name"));
  }
  if (!evaluate.patience.has_value()) {
    if (evaluate.min_improvement > 0) {
      complain("min_improvement", "is of evaluate.patience, which is not set");
    }
    return problems;
  }
  if (config.kind != "train") {
    complain("patience", absl::StrCat("ends training early, and kind ", config.kind,
                                      " trains nothing: leave it out"));
  } else if (config.data.eval.empty()) {
    complain("patience",
             "ends a run that no longer improves on data.eval, which is missing: name held-out "
             "pairs there, or leave patience out");
  } else if (evaluate.every_steps == 0) {
    complain("patience",
             "counts evaluations, and with evaluate.every_steps: 0 there is none before the end: "
             "set it, e.g. to 200, or leave patience out");
  }
  return problems;
}

std::string EarlyStopWarning(const JobConfig& config) {
  const EvaluateSection& evaluate = config.evaluate;
  if (!evaluate.patience.has_value() || evaluate.every_steps == 0) return "";
  const int64_t every = config.checkpoint.every_steps;
  if (config.checkpoint.keep_best == 0) {
    return "evaluate.patience ends a run after its best evaluation, and checkpoint.keep_best: 0 "
           "keeps no checkpoint of that";
  }
  if (every > 0 && evaluate.every_steps % every == 0) return "";
  return absl::StrCat(
      "evaluate.patience ends a run after its best evaluation, whose weights are "
      "kept only where a checkpoint is due in the same step: let "
      "evaluate.every_steps (",
      evaluate.every_steps, ") be a multiple of checkpoint.every_steps (", every, ")");
}

}  // namespace fpo
