// A run's features.json, which fpoctl gets from a worker.

#include <cstdint>

#include "common/features/feature_page.h"
#include "common/features/feature_report.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

FUZZ_TARGET(feature_report) {
  const auto report = fpo::ParseFeatureReport(fpo::fuzz::Text(data, size));
  if (!report.ok()) return 0;
  const auto again = fpo::ParseFeatureReport(fpo::FeatureReportJson(*report));
  FUZZ_CHECK(again.ok());
  for (const fpo::SaeMovement& sae : report->saes) {
    for (const fpo::MovedFeature& feature : sae.moved) {
      FUZZ_CHECK(sae.Find(feature.index) != nullptr);
      for (const fpo::FeatureSpan& span : feature.spans) {
        FUZZ_CHECK(span.after.size() == span.tokens.size());
        FUZZ_CHECK(static_cast<size_t>(span.strongest) < span.tokens.size());
      }
    }
  }
  // One script of data and one of code, whatever the texts.
  const std::string page = fpo::FeaturePart({*report});
  size_t scripts = 0;
  for (size_t at = page.find("</script"); at != std::string::npos;
       at = page.find("</script", at + 1)) {
    ++scripts;
  }
  FUZZ_CHECK(scripts == 2);
  return 0;
}
