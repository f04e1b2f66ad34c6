#pragma once

#include "common/features/feature_report.h"

namespace fpo {

// A report with every field set. Feature 3 fell silent on chosen, 5 rose on rejected, 8 is listed
// without texts.
inline FeatureReport SampleReport() {
  FeatureReport report;
  report.job = "tiny-fpo";
  report.method = "fpo";
  report.policy = "/runs/a/model";
  report.policy_digest = "aa11";
  report.reference = "/models/base";
  report.reference_digest = "bb22";
  report.reference_codes = "records";
  report.data_digest = "cc33";
  report.pairs = 4;
  report.pairs_asked = 8;
  report.pairs_there = 9;
  report.files = {"/data/eval.jsonl"};
  report.missing = {"only the first 4 of 8 pairs"};
  report.seconds = 1.5;
  SaeMovement sae;
  sae.path = "/saes/params.npz";
  sae.digest = "dd44";
  sae.site = "resid_post";
  sae.layer = 2;
  sae.features = 1024;
  sae.labels = "/labels";
  sae.fit_pairs = 2;
  sae.before = SaeFit{40, 12.5, 0.25, 2.5, 2.75, 6.5, 0.9375};
  sae.after = SaeFit{40, 13, 0.5, 2.25, {}, 6.25, {}};
  sae.chosen = {3, 5};
  sae.rejected = {5};
  FeatureSpan span;
  span.pair = 1;
  span.row = 16;
  span.id = "row-17";
  span.side = "rejected";
  span.position = 2;
  span.strongest = 1;
  span.tokens = {"I", " am", " sorry"};
  span.after = {0.0, 0.25, {}};
  span.before = {0.0, 4.5, {}};
  MovedFeature three{3, "apologises", FeatureSide{0.75, 0.125, 0.625, 0.5, 1, 0.25}, {}, {span}};
  three.rejected = FeatureSide{0.5, 0.5, 0.125, 0.25, 0.75, 0.75};
  MovedFeature five{5, "", FeatureSide{0.25, 0.5, 0.25, 0.125, 0.5, 0.5}, {}, {}};
  five.rejected = FeatureSide{0, 2, 2, 0.75, 0, 1};
  sae.moved = {three, five};
  MovedFeature eight{8, "", FeatureSide{0.25, 0.375, 0.125, 0, 0.5, 0.5}, {}, {}};
  eight.rejected = FeatureSide{};
  sae.others = {eight};
  sae.floor = 0.0625;
  report.saes = {sae};
  return report;
}

}  // namespace fpo
