#include "common/job/job_advice.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/job_fields.h"
#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "common/job/sections/evaluate_fields.h"

namespace fpo {
namespace {

// Far enough outside the usual range to change what the loss does.
bool IsUnusual(const MethodInfo& method, double beta) {
  return method.length_normalised ? beta < method.beta_low / 2 : beta > method.beta_high * 2;
}

std::string BetaWarning(const MethodInfo& method, const MethodSection& section) {
  const std::string paper = method.beta_paper;
  const double beta = section.beta;
  const std::string reason =
      section.loss == "ipo"
          ? absl::StrCat("ipo's target is a margin of 1/(2 beta) = ", 0.5 / beta, " nats per token")
          : BetaReason(method);
  return absl::StrCat("method.beta ", beta, " with ", method.name, ": ", reason, "; ",
                      BetaRange(method), " is usual, the default ", method.beta,
                      paper == "-" ? "" : absl::StrCat(", the FPO paper's value ", paper));
}

size_t CountFields(JobConfig* config, absl::string_view section) {
  for (const JobEntry& entry : JobEntries(config)) {
    if (section == entry.name) return entry.fields.size();
  }
  return 0;
}

std::string NotUsed(absl::string_view key, absl::string_view by) {
  return absl::StrCat(key, " is set, and ", by, " does not use it");
}

void UnusedMethodKeys(const JobNode& given, const MethodSection& section,
                      std::vector<std::string>* notes) {
  for (const auto& [key, value] : given.members) {
    if (MethodReads(section, key)) continue;
    std::vector<std::string> users;
    for (const MethodInfo& other : Methods()) {
      if (MethodReads(other, key)) users.emplace_back(other.name);
    }
    if (users.empty()) continue;  // unknown key: the reader reports it
    notes->push_back(
        absl::StrCat(NotUsed(absl::StrCat("method.", key), absl::StrCat("method ", section.name)),
                     "; it belongs to ", absl::StrJoin(users, ", ")));
  }
}

// A budget finds alpha, and holds both sides.
void UnusedWithBudget(const JobNode& section, const MethodSection& method,
                      std::vector<std::string>* notes) {
  for (const char* key : {"alpha", "stop_gradient"}) {
    if (section.Find(key) == nullptr || !MethodReads(method, key)) continue;
    notes->push_back(absl::StrCat(
        NotUsed(absl::StrCat("method.", key), "constraint.budget"),
        key == std::string("alpha") ? ": alpha is found while training" : ": both sides are held"));
  }
}

void UnusedOptimizerKeys(const JobNode& section, const std::string& optimizer,
                         std::vector<std::string>* notes) {
  JobConfig defaults;
  if (section.members.size() >= CountFields(&defaults, "optimizer")) return;
  const bool rmsprop = optimizer == "rmsprop";
  const std::string by = absl::StrCat("optimizer ", optimizer);
  if (!rmsprop && section.Find("alpha") != nullptr)
    notes->push_back(NotUsed("optimizer.alpha", by));
  if (rmsprop && section.Find("betas") != nullptr) notes->push_back(NotUsed("optimizer.betas", by));
}

bool IsGiven(const JobNode& root, absl::string_view key) {
  const JobNode* node = root.Find(key);
  return node != nullptr && (!node->members.empty() || !node->items.empty());
}

// It reads the model, the prompts or the answers, and the template.
std::vector<std::string> UnusedByTexts(const JobNode& root, const std::string& kind) {
  const std::string here = "kind " + kind;
  std::vector<std::string> notes;
  const char* other = kind == "generate" ? "judge" : "generate";
  if (IsGiven(root, other)) notes.push_back(NotUsed(other, here));
  for (const char* key : {"method", "optimizer", "schedule", "batch", "evaluate", "features",
                          "reference", "constraint", "sae", "sae_training", "checkpoint"}) {
    if (IsGiven(root, key)) notes.push_back(NotUsed(key, here));
  }
  const JobNode* data = root.Find("data");
  if (data == nullptr) return notes;
  for (const auto& [key, value] : data->members) {
    if (key != "template") notes.push_back(NotUsed(absl::StrCat("data.", key), here));
  }
  return notes;
}

}  // namespace

std::vector<std::string> UnusedKeys(const JobNode& root, const JobConfig& config) {
  std::vector<std::string> notes;
  const MethodInfo* method = FindMethod(config.method.name);
  JobConfig defaults;
  const JobNode* section = root.Find("method");
  const bool whole =
      section != nullptr && section->members.size() + 1 >= CountFields(&defaults, "method");
  if (method == nullptr || whole) return notes;
  if (config.kind == "generate" || config.kind == "judge") return UnusedByTexts(root, config.kind);
  for (const char* key : {"generate", "judge"}) {
    if (IsGiven(root, key)) notes.push_back(NotUsed(key, absl::StrCat("kind ", config.kind)));
  }
  if (config.kind == "sae") {
    for (const char* key : {"method", "constraint", "optimizer", "schedule", "batch", "evaluate",
                            "features", "reference"}) {
      if (IsGiven(root, key)) notes.push_back(NotUsed(key, "kind sae"));
    }
    return notes;
  }
  const std::string by = absl::StrCat("method ", method->name);
  if (section != nullptr) UnusedMethodKeys(*section, config.method, &notes);
  if (section != nullptr && config.constraint.budget.has_value()) {
    UnusedWithBudget(*section, config.method, &notes);
  }
  if (const JobNode* optimizer = root.Find("optimizer"); optimizer != nullptr) {
    UnusedOptimizerKeys(*optimizer, config.optimizer.name, &notes);
  }
  if (IsGiven(root, "sae") && !ComparesFeatures(config.method) && !MakesFeatures(config)) {
    const bool may = MethodReads(*method, "constraint") && ConstraintOf(config.method) == "none";
    notes.push_back(absl::StrCat(NotUsed("sae", by),
                                 may ? "; method.constraint: features would" : "",
                                 config.kind == "train" ? "; with data.eval and features.top above "
                                                          "0, its feature report would"
                                                        : ""));
  }
  if (IsGiven(root, "features") && config.features.top > 0 && !MakesFeatures(config)) {
    notes.push_back(
        "features is set, and there will be no feature report: it needs kind train, sae and "
        "data.eval, and method.features: sae");
  }
  if (IsGiven(root, "sae_training")) {
    notes.push_back(NotUsed("sae_training", absl::StrCat("kind ", config.kind)));
  }
  const JobNode* reference = root.Find("reference");
  if (config.reference.source == "none" && reference != nullptr &&
      reference->Find("path") != nullptr) {
    notes.push_back(NotUsed("reference.path", by));
  }
  return notes;
}

std::vector<std::string> JobWarnings(const JobConfig& config, std::optional<int64_t> steps) {
  std::vector<std::string> warnings;
  const MethodInfo* method = FindMethod(config.method.name);
  if (config.kind != "train" || method == nullptr) return warnings;
  if (method->beta > 0 && IsUnusual(*method, config.method.beta)) {
    warnings.push_back(BetaWarning(*method, config.method));
  }
  const std::optional<int64_t> last = steps.has_value() ? steps : config.max_steps;
  const int64_t warmup = config.schedule.warmup_steps;
  if (last.has_value() && warmup > *last) {
    warnings.push_back(absl::StrCat("the warm-up (schedule.warmup_steps: ", warmup,
                                    ") does not end before the last step (", *last,
                                    "): the full learning rate is never used; a tenth of the "
                                    "steps is usual"));
  }
  if (config.data.eval.empty()) {
    warnings.push_back(
        "data.eval is empty: there are no held-out numbers, and keep_best cannot choose");
  }
  if (std::string words = EarlyStopWarning(config); !words.empty()) {
    warnings.push_back(std::move(words));
  }
  return warnings;
}

}  // namespace fpo
