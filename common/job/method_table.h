#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo {

// The section "method" of a job.
struct MethodSection {
  std::string name = "fpo";  // see job_fields.cc
  double beta = 2.0;         // of fpo; the readers fill in the method's default
  double alpha = 0.5;
  double gamma = 0.5;
  int64_t top_k = 50;
  std::string feature_selection = "union";  // union | reference | policy
  bool stop_gradient = true;
  std::string features = "sae";  // sae | hidden
  std::string feature_weights;   // file of "index weight" lines; empty: 1 everywhere
  double label_smoothing = 0.0;
  std::string loss = "sigmoid";  // sigmoid | hinge | ipo | robust
  std::string constraint;        // none | features | kl; empty: the method's own (ConstraintOf)
  double sft_weight = 0.0;
  double desirable_weight = 1.0;
  double undesirable_weight = 1.0;
};

// Everything known about one method.name. Rules, defaults, warnings, `fpoctl schema`, the templates
// of `fpoctl init` and docs/methods.md are all derived from this table.
struct MethodInfo {
  const char* name;
  const char* about;      // one sentence
  const char* reference;  // reference.source when not given: cached | online | none
  // Keys of the section "method" that it reads, besides name and those of its constraint.
  std::vector<const char*> keys;
  bool length_normalised = false;  // rewards are means over a response's tokens, not sums
  double beta = 0;                 // default of method.beta; 0: the method has none
  double beta_low = 0;             // usual range
  double beta_high = 0;
  const char* beta_paper = "-";  // what the FPO paper trains with
  const char* alpha_paper = "-";
  const char* constraint = "none";  // what holds it near the reference beside the margin
  const char* without = "";         // the method that it is without its constraint
  const char* beta_reason = "";     // when beta does not scale a margin
};

const std::vector<MethodInfo>& Methods();
const MethodInfo* FindMethod(absl::string_view name);  // null: no such method

bool MethodReads(const MethodInfo& method, absl::string_view key);  // its own constraint's too
// The same of a job, whose constraint may be another.
bool MethodReads(const MethodSection& section, absl::string_view key);

// none | features | kl. What `section` says, or the method's own.
std::string ConstraintOf(const MethodSection& section);
// Whether pooled features of policy and reference are compared, so that it needs an SAE (or, with
// features: hidden, its place) and a reference.
bool ComparesFeatures(const MethodSection& section);
// reference.source when the file does not say: cached | online | none.
const char* DefaultReferenceSource(const MethodSection& section);

// Why beta has its default, for a comment or a warning: "rewards are means over tokens, ...".
const char* BetaReason(const MethodInfo& method);

// "2 for ln_dpo, simpo, simpo_kl, fpo; 0.1 for dpo, tdpo1, tdpo2, orpo, kto".
std::string BetaDefaults();

// "2 to 10".
std::string BetaRange(const MethodInfo& method);

}  // namespace fpo
