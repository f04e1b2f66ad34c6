#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/data/pair_identity.h"
#include "train/statistics/feature_tests.h"
#include "train/statistics/label_check.h"

namespace fpo::train {

// What `fpo-train inspect-data` finds out about preference data.

// A pair of the data, as people find it again and read it. Long texts are cut.
struct ShownPair {
  bool is_eval = false;
  int64_t index = 0;  // among the admitted pairs
  int64_t row = 0;    // in the data files, from 0
  std::string id;     // the row's own, or empty
  std::string prompt, chosen, rejected;
};

// A pair whose label is likely wrong.
struct SuspectLabel {
  ShownPair pair;
  double right = 0;             // probability that the label is right
  double reference_margin = 0;  // log-probability a token of chosen, minus that of rejected
  int64_t chosen_tokens = 0, rejected_tokens = 0;
};

// Where a feature is strong: the token where it is strongest, and those beside it with at least
// half of that.
struct FoundSpan {
  ShownPair pair;
  bool is_chosen = false;  // the side that it is in
  double activation = 0;   // the greatest of a token
  std::string before, strong, after;
};

struct FeatureFinding {
  std::string name;  // "feature 812", of several SAEs "sae 1 feature 812", or "length" ...
  FeatureTest test;
  std::vector<FoundSpan> spans;  // of the pairs that differ most in it
};

// Two pairs that are alike without being the same tokens.
struct NearFinding {
  ShownPair first, second;
  double jaccard = 0;
  bool is_opposite = false;  // what one chooses is like what the other rejects
};

struct Findings {
  std::string job;
  int64_t train_pairs = 0, eval_pairs = 0;
  std::string data_digest;         // of the token files, as prepare.json has it; hex
  std::string recipe_id, records;  // hex; the file
  int64_t records_computed = 0, records_reused = 0;

  std::optional<LabelCheck> labels;
  std::string labels_unchecked;  // why, without `labels`
  std::vector<SuspectLabel> suspects;

  int64_t features_tested = 0, features_separating = 0;  // with q below 0.05
  int64_t features_separating_at_equal_length = 0;
  std::vector<FeatureFinding> features;  // what separates most at equal length comes first
  std::vector<FeatureFinding> plain;     // length and log-probabilities

  RepeatedPairs repeated;  // in the training data
  SharedPairs shared;      // of evaluation with training data
  double near_threshold = 0;
  int64_t near_pairs = 0;     // training pairs like an earlier one, copies not counted
  int64_t near_opposite = 0;  // of these, with the other response chosen
  int64_t near_leaks = 0;     // evaluation pairs like a training pair, copies not counted
  std::vector<NearFinding> near, leaks;             // the likest first
  std::vector<NearFinding> contradictions, copies;  // the same tokens: with opposite labels; shared
  std::vector<std::string> warnings;
};

}  // namespace fpo::train
