#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/access_list.h"
#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "common/job/sections/adapter_fields.h"
#include "common/job/sections/evaluate_fields.h"
#include "common/job/sections/parallel_fields.h"
#include "common/job/sections/resources_fields.h"

namespace fpo {
namespace {

constexpr size_t kFeatureSetsMax = 100;

class Rules {
 public:
  explicit Rules(const JobConfig& config) : c_(config) {}

  std::vector<JobProblem> Check() {
    CheckNames();
    CheckData();
    CheckMethod();
    if (c_.kind == "judge") CheckJudge();
    CheckSae();
    CheckFeatures();
    CheckReference();
    CheckNumbers();
    CheckBudgetAndSets();
    for (JobProblem& problem : AdapterProblems(c_)) problems_.push_back(std::move(problem));
    for (JobProblem& problem : ParallelProblems(c_)) problems_.push_back(std::move(problem));
    for (JobProblem& problem : EvaluateProblems(c_)) problems_.push_back(std::move(problem));
    return std::move(problems_);
  }

 private:
  void Complain(std::string key, std::string message) {
    problems_.push_back({0, std::move(key), std::move(message)});
  }

  bool Trains() const { return c_.kind == "train"; }

  void CheckNames() {
    const bool word = !c_.name.empty() && c_.name.size() <= 63 &&
                      std::all_of(c_.name.begin(), c_.name.end(), [](unsigned char ch) {
                        return std::islower(ch) || std::isdigit(ch) || ch == '-';
                      });
    if (!word) {
      Complain("name", c_.name.empty()
                           ? "is missing; a short word, e.g. gemma2-2b-fpo"
                           : absl::StrCat("\"", c_.name, "\" must be 1 to 63 of a-z, 0-9 and -"));
    }
    const bool asks_server = c_.kind == "judge" && !c_.judge.url.empty();
    if (c_.model.path.empty() && !asks_server) {
      Complain("model.path", "is missing; a Hugging Face directory");
    }
    if (c_.output.empty()) Complain("output", "is missing; a folder for the job's results");
    for (JobProblem& problem : ResourcesProblems(c_)) problems_.push_back(std::move(problem));
  }

  void CheckData() {
    if (c_.kind == "evaluate") {
      if (c_.data.eval.empty()) Complain("data.eval", "is missing; kind evaluate measures on it");
    } else if (c_.kind == "generate") {
      if (c_.generate.prompts.empty()) {
        Complain("generate.prompts", "is missing; a file of prompts");
      }
    } else if (c_.kind != "judge" && c_.data.train.empty()) {
      Complain("data.train", "is missing; a list of .jsonl files");
    }
    if (c_.data.max_prompt_length >= c_.data.max_length) {
      Complain(
          "data.max_prompt_length",
          absl::StrCat(c_.data.max_prompt_length, " leaves no room for a response; it must be ",
                       "below data.max_length (", c_.data.max_length, ")"));
    }
  }

  void CheckRating() {
    const JudgeSection& judge = c_.judge;
    if (judge.questions.empty()) Complain("judge.questions", "is missing; MT-Bench's questions");
    if (!judge.baseline.empty())
      Complain("judge.baseline", "rating compares with no other answers");
    if (!judge.length_control.empty()) Complain("judge.length_control", "is of kind pairwise");
  }

  // Who judges is model.path or a server, never both.
  void CheckJudge() {
    const JudgeSection& judge = c_.judge;
    if (judge.outputs.empty()) Complain("judge.outputs", "is missing; a file of answers");
    if (judge.kind == "rating") {
      CheckRating();
    } else if (judge.baseline.empty()) {
      Complain("judge.baseline", "is missing; a file of answers");
    }
    if (judge.kind != "rating" && !(judge.questions.empty() && judge.references.empty())) {
      Complain(judge.questions.empty() ? "judge.references" : "judge.questions",
               "is of judge.kind rating");
    }
    if (judge.kind != "pairwise" && judge.url.empty()) {
      Complain("judge.url", "is missing: grades and ratings are words, which only a server writes");
    }
    if (!judge.url.empty() && judge.model.empty()) {
      Complain("judge.model", "is missing; the judge's name at judge.url");
    }
    if (!judge.url.empty() && !c_.model.path.empty()) {
      Complain("model.path", "judge.url names the judge already; leave one of them out");
    }
    if (!judge.url.empty()) return;
    if (!judge.model.empty()) Complain("judge.model", "is for a server; judge.url is not set");
    if (!judge.key_file.empty())
      Complain("judge.key_file", "is for a server; judge.url is not set");
  }

  void CheckSae() {
    if (c_.kind == "generate" || c_.kind == "judge") return;
    if (c_.kind != "sae") return CheckSaesOfMethod();
    if (c_.sae.size() != 1 || !c_.sae[0].layer.has_value() || c_.sae[0].site.empty()) {
      Complain("sae",
               "kind sae trains one SAE: name its place with sae: {layer: N, site: resid_post}");
    }
  }

  // Parts of the method that contradict each other.
  void CheckMethod() {
    const MethodInfo* method = FindMethod(c_.method.name);
    const bool reads = Trains() || c_.kind == "reference" || c_.kind == "evaluate";
    if (method == nullptr || !reads) return;
    CheckConstraint(*method);
    CheckLoss(*method);
    if (c_.method.sft_weight > 0 && !MethodReads(*method, "sft_weight")) {
      Complain("method.sft_weight",
               absl::StrCat("method ", method->name,
                            c_.method.name == "kto" ? " has no chosen answers"
                                                    : " is trained on the chosen answers already"));
    }
  }

  void CheckConstraint(const MethodInfo& method) {
    const std::string constraint = ConstraintOf(c_.method), own = method.constraint;
    if (constraint == own) return;
    if (constraint == "kl") {
      Complain("method.constraint",
               "kl is part of tdpo1, tdpo2 and simpo_kl: name one of these methods");
    } else if (own != "none") {
      Complain("method.constraint",
               absl::StrCat("method ", method.name, " is defined with ", own,
                            ": method.name: ", method.without, " has no constraint of its own"));
    } else if (!MethodReads(method, "constraint")) {
      Complain("method.constraint",
               absl::StrCat("features constrain a margin of two answers, which ", method.name,
                            " lacks: they are for dpo, ln_dpo and simpo"));
    }
  }

  void CheckLoss(const MethodInfo& method) {
    const std::string& loss = c_.method.loss;
    const bool smooth = c_.method.label_smoothing > 0;
    if (loss != "sigmoid" && !MethodReads(method, "loss")) {
      return Complain("method.loss",
                      absl::StrCat("method ", method.name, " has a loss of its own: leave it out"));
    }
    // The target margin of ipo takes gamma's place.
    if (loss == "ipo" && (!method.length_normalised || MethodReads(method, "gamma"))) {
      Complain(
          "method.loss",
          absl::StrCat("ipo compares log-probs per token with the reference's, and brings its ",
                       "target, 1/(2 beta): method.name: ln_dpo or fpo, not ", method.name));
    }
    if (smooth && (loss == "hinge" || loss == "ipo")) {
      Complain("method.label_smoothing",
               absl::StrCat("is of the losses sigmoid and robust; ", loss, " has none"));
    }
    if (!smooth && loss == "robust") {
      Complain("method.label_smoothing",
               "robust corrects for a known share of flipped labels: set it above 0 and below 0.5");
    }
    if (smooth && (c_.method.name == "orpo" || c_.method.name == "kto")) {
      Complain("method.label_smoothing",
               absl::StrCat("method ", method.name, " has none: leave it out"));
    }
  }

  // "method fpo", "method dpo with constraint: features".
  std::string MethodText() const {
    const MethodInfo* method = FindMethod(c_.method.name);
    const bool own = method != nullptr && ConstraintOf(c_.method) == method->constraint;
    return absl::StrCat("method ", c_.method.name,
                        own ? "" : absl::StrCat(" with constraint: ", ConstraintOf(c_.method)));
  }

  void CheckSaesOfMethod() {
    const bool compares = ComparesFeatures(c_.method), hidden = c_.method.features == "hidden";
    if (compares && c_.sae.empty()) {
      Complain("sae", hidden ? "features: hidden pools a hidden vector: name its place with sae: "
                               "{layer: N, site: resid_post}"
                             : absl::StrCat(MethodText(), " compares SAE features: name one with ",
                                            "sae: {path: ...}"));
    }
    for (size_t i = 0; i < c_.sae.size(); ++i) {
      const SaeSection& sae = c_.sae[i];
      const std::string key = c_.sae.size() == 1 ? "sae" : absl::StrCat("sae.", i);
      if (!hidden && sae.path.empty()) Complain(key + ".path", "is missing");
      if (hidden && !sae.path.empty()) {
        Complain(key + ".path", "features: hidden reads no SAE; leave the path out");
      }
      if (hidden && (!sae.layer.has_value() || sae.site.empty())) {
        Complain(key, "features: hidden needs the place to read: layer and site");
      }
    }
    const std::string where = "method fpo, and of others with constraint: features";
    if (hidden && !compares) Complain("method.features", "hidden is an option of " + where);
    if (c_.method.feature_weights.empty()) return;
    if (!compares) Complain("method.feature_weights", "is an option of " + where);
    if (c_.sae.size() > 1) {
      Complain("method.feature_weights",
               absl::StrCat("numbers the features of one SAE; the job has ", c_.sae.size()));
    }
  }

  void CheckFeatures() {
    if (c_.features.explanations.empty() || c_.sae.size() <= 1) return;
    Complain("features.explanations",
             absl::StrCat("labels the features of one SAE; the job has ", c_.sae.size()));
  }

  void CheckReference() {
    const std::string& source = c_.reference.source;
    const std::string method = MethodText();
    const absl::string_view needs = DefaultReferenceSource(c_.method);
    if (c_.kind == "sae") return;
    if (c_.kind == "generate" || c_.kind == "judge") {
      if (source != "none") {
        Complain("reference.source", absl::StrCat("kind ", c_.kind, " has none: leave it out"));
      }
      return;
    }
    if (needs == "cached" && source == "none") {
      Complain("reference.source", absl::StrCat(method, " needs a reference: cached or online"));
    }
    if (needs == "online" && source != "online") {
      Complain("reference.source",
               absl::StrCat(method, " compares whole next-token distributions, which ",
                            "no record holds: online"));
    }
    // With an online reference, the evaluations of simpo measure the KL to it.
    if (needs == "none" &&
        (source == "cached" || (source == "online" && c_.method.name == "sft"))) {
      Complain("reference.source", absl::StrCat(method, " has no reference: leave it out"));
    }
    if (c_.kind == "reference" && source != "cached") {
      Complain("kind", "reference computes cached records: it needs a method that uses them");
    }
    if (!IsShare(c_.reference.share)) {
      Complain("reference.share",
               absl::StrCat("\"", c_.reference.share, "\" must be public, private or group:NAME"));
    }
    if (c_.reference.features != "top" || !ComparesFeatures(c_.method)) return;
    if (c_.method.feature_selection != "reference") {
      Complain("reference.features",
               absl::StrCat("top records lack what selection ", c_.method.feature_selection,
                            " may ask for; use all, or method.feature_selection: reference"));
    }
    if (c_.method.top_k > c_.reference.features_top) {
      Complain("reference.features_top",
               absl::StrCat(c_.reference.features_top, " is below method.top_k (", c_.method.top_k,
                            ")"));
    }
  }

  void CheckNumbers() {
    if (c_.activation_checkpointing && c_.activation_checkpointing_layers.has_value()) {
      Complain("activation_checkpointing_layers",
               "is for some layers, activation_checkpointing: true for all: leave one out");
    }
    if (c_.optimizer.betas.size() != 2) Complain("optimizer.betas", "must be two numbers");
    if (Trains() && c_.optimizer.lr <= 0) Complain("optimizer.lr", "must be above 0");
    if (c_.sae_training.lr <= 0) Complain("sae_training.lr", "must be above 0");
    if (c_.method.beta <= 0) Complain("method.beta", "must be above 0");
    if (c_.method.desirable_weight + c_.method.undesirable_weight <= 0) {
      Complain("method.desirable_weight", "and undesirable_weight are both 0: nothing is trained");
    }
  }

  bool Measures() const { return Trains() || c_.kind == "evaluate"; }

  void CheckBudgetAndSets() {
    const MethodInfo* method = FindMethod(c_.method.name);
    if (method == nullptr || !Measures()) return;
    if (c_.constraint.budget.has_value() && !MethodReads(c_.method, "alpha")) {
      Complain("constraint.budget",
               absl::StrCat("method ", method->name,
                            " has no alpha to adapt; fpo, tdpo2, simpo_kl and methods with "
                            "method.constraint: features have"));
    }
    const std::vector<FeatureSetSection>& sets = c_.constraint.sets;
    if (sets.empty()) return;
    const auto complain = [&](const char* why) { Complain("constraint.sets", why); };
    if (!ComparesFeatures(c_.method)) {
      complain("are sets of SAE features, which fpo and method.constraint: features compare");
    }
    if (c_.data.eval.empty()) complain("are looked at on evaluation pairs: data.eval is missing");
    if (c_.reference.features == "top") {
      complain(
          "may name features that top records lack, which would read as 0: use "
          "reference.features: all");
    }
    if (sets.size() > kFeatureSetsMax) {
      complain("are too many; at most 100 are looked at");
    }
    std::set<std::string> names;
    for (size_t i = 0; i < sets.size(); ++i) {
      CheckSet(absl::StrCat("constraint.sets.", i), sets[i]);
      if (!names.insert(sets[i].name).second) {
        Complain(absl::StrCat("constraint.sets.", i, ".name"),
                 absl::StrCat("\"", sets[i].name, "\" is another set's name"));
      }
    }
  }

  void CheckSet(const std::string& key, const FeatureSetSection& set) {
    const bool word = !set.name.empty() && set.name.size() <= 63 &&
                      std::all_of(set.name.begin(), set.name.end(), [](unsigned char ch) {
                        return std::islower(ch) || std::isdigit(ch) || ch == '-' || ch == '_';
                      });
    if (!word) {
      Complain(key + ".name", set.name.empty() ? "is missing; a short word, e.g. refusal"
                                               : absl::StrCat("\"", set.name,
                                                              "\" must be 1 to 63 of a-z, 0-9, - "
                                                              "and _"));
    }
    if (set.features.empty() == set.features_file.empty()) {
      Complain(key + ".features", set.features.empty()
                                      ? "is missing; a list of feature indices, or features_file"
                                      : "and features_file are both given; leave one of them out");
    }
    std::set<int64_t> seen;
    for (const int64_t feature : set.features) {
      if (seen.insert(feature).second) continue;
      Complain(key + ".features", absl::StrCat(feature, " is there twice"));
      break;
    }
    if (!set.max_change.has_value()) {
      Complain(key + ".max_change", "is missing; e.g. 0.1, a tenth of the set's activation");
    }
    if (set.sae >= static_cast<int64_t>(c_.sae.size())) {
      Complain(key + ".sae", absl::StrCat(set.sae, " is not an SAE of the job, which has ",
                                          c_.sae.size(), ", counted from 0"));
    }
  }

  const JobConfig& c_;
  std::vector<JobProblem> problems_;
};

}  // namespace

bool MakesFeatures(const JobConfig& config) {
  return config.kind == "train" && !config.sae.empty() && !config.data.eval.empty() &&
         config.features.top > 0 && config.method.features == "sae";
}

std::vector<JobProblem> ValidateJob(const JobConfig& config) { return Rules(config).Check(); }

std::vector<JobProblem> CheckNewName(const std::string& name) {
  if (absl::StartsWith(name, "j-")) {
    return {{0, "name",
             absl::StrCat("\"", name, "\" looks like a job's id: names do not begin with j-")}};
  }
  if (absl::StartsWith(name, "-") || absl::EndsWith(name, "-")) {
    return {{0, "name",
             absl::StrCat("\"", name, "\" must begin and end with a letter or a digit: ",
                          "a command would take it for a flag")}};
  }
  return {};
}

}  // namespace fpo
