#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// features.json: what training did to the features of the SAEs of a model. "Before" is the
// reference, "after" the policy. docs/features.md says what each number means. Plain values.

inline constexpr char kFeatureReportName[] = "features.json";  // in a run's output folder

// One feature over the responses of one side. A response's code is the mean over its tokens.
struct FeatureSide {
  double before = 0, after = 0;                // mean code of the responses
  double moved = 0;                            // mean |after - before| of the responses
  double share = 0;                            // of the squared movement of all features of the SAE
  double active_before = 0, active_after = 0;  // share of the responses with a code above 0

  double change() const { return after - before; }
  bool operator==(const FeatureSide&) const = default;
};

// Where a feature fires: tokens of a response around the one with the largest code.
struct FeatureSpan {
  int64_t pair = 0;                           // number among the pairs that were used, from 0
  int64_t row = 0;                            // its row in the data files, from 0
  std::string id;                             // the row's own id, or empty
  std::string side;                           // chosen | rejected
  int64_t position = 0;                       // of the first of `tokens` in the response, from 0
  int64_t strongest = 0;                      // of the strongest in `tokens`
  std::vector<std::string> tokens;            // texts
  std::vector<std::optional<double>> after;   // codes; null: a token of another turn
  std::vector<std::optional<double>> before;  // empty: the reference was not run

  bool operator==(const FeatureSpan&) const = default;
};

struct MovedFeature {
  int64_t index = 0;
  std::string label;                            // empty: none is known
  std::optional<FeatureSide> chosen, rejected;  // rejected: null where pairs have no such side
  std::vector<FeatureSpan> spans;               // the strongest first

  bool operator==(const MovedFeature&) const = default;
};

// How well an SAE fits a model. Absent values could not be measured.
struct SaeFit {
  int64_t tokens = 0;         // of the responses
  double l0 = 0;              // active features a token
  std::optional<double> fvu;  // share of the variance that the reconstruction misses
  // Cross-entropy of the responses, nats a token: of the model as it is, with the site's
  // activations reconstructed by the SAE, and with zeros there.
  std::optional<double> ce, ce_sae, ce_zero;
  std::optional<double> loss_recovered;  // (ce_zero - ce_sae) / (ce_zero - ce)

  bool operator==(const SaeFit&) const = default;
};

struct SaeMovement {
  std::string path, digest, site;
  int64_t layer = 0;
  int64_t features = 0;
  std::string labels;     // the file or folder they are from; empty: none
  int64_t fit_pairs = 0;  // the fits were measured on the first so many
  std::optional<SaeFit> before, after;
  std::vector<int64_t> chosen, rejected;  // indices that moved most there, the first most
  std::vector<MovedFeature> moved;        // those, by index
  // The features that moved most after them, by index, without spans: so that another run can be
  // compared. Every feature that is in neither list moved less on both sides than `floor`.
  std::vector<MovedFeature> others;
  double floor = 0;

  const MovedFeature* Find(int64_t index) const;  // in both lists; null: in none
  bool operator==(const SaeMovement&) const = default;
};

struct FeatureReport {
  std::string job, method;
  std::string policy, policy_digest;  // a folder, and the digest of its weights
  std::string reference, reference_digest;
  std::string reference_codes;  // where "before" is from: records | model
  std::string data_digest;      // of the evaluation pairs, of which the first `pairs` were used
  int64_t pairs = 0, pairs_asked = 0, pairs_there = 0;
  std::vector<std::string> files;    // data.eval
  std::vector<std::string> missing;  // what this report lacks and why; sentences
  double seconds = 0;
  std::vector<SaeMovement> saes;

  bool operator==(const FeatureReport&) const = default;
};

std::string FeatureReportJson(const FeatureReport& report);
// InvalidArgument says what is wrong; also for sizes beyond what fpo-train writes.
absl::StatusOr<FeatureReport> ParseFeatureReport(absl::string_view json);
// The same from a file.
absl::StatusOr<FeatureReport> ReadFeatureReport(const std::string& path);

// The SAEs, by their place in the first report, that all reports have: of one digest, layer and
// site. FailedPrecondition when there is none names what each has.
absl::StatusOr<std::vector<size_t>> SharedSaes(const std::vector<FeatureReport>& reports);
// That of `like` in a report that has it.
const SaeMovement& SameSae(const FeatureReport& report, const SaeMovement& like);
// What makes a comparison doubtful: other pairs, another reference. Sentences.
std::vector<std::string> ComparisonDoubts(const std::vector<FeatureReport>& reports);

}  // namespace fpo
