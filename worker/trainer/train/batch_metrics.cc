#include "worker/trainer/train/batch_metrics.h"

#include <algorithm>

namespace fpo::train {

BatchMetrics& BatchMetrics::operator+=(const BatchMetrics& other) {
  preference += other.preference;
  pairs += other.pairs;
  tokens += other.tokens;
  entropy += other.entropy;
  response_tokens += other.response_tokens;
  logp += other.logp;
  relative += other.relative;
  has_divergence = has_divergence || other.has_divergence;
  return *this;
}

std::vector<double> BatchMetrics::Pack() const {
  std::vector<double> values(preference.sums.begin(), preference.sums.end());
  for (const double value : {pairs, tokens, entropy, response_tokens, logp, relative}) {
    values.push_back(value);
  }
  // A rank without pairs in a step has no divergence of its own but reports the others'.
  values.push_back(has_divergence ? 1 : 0);
  return values;
}

void BatchMetrics::Unpack(const std::vector<double>& values) {
  std::copy_n(values.begin(), preference.sums.size(), preference.sums.begin());
  const double* rest = values.data() + preference.sums.size();
  for (double* field : {&pairs, &tokens, &entropy, &response_tokens, &logp, &relative}) {
    *field = *rest++;
  }
  has_divergence = *rest > 0;
  preference.has_divergence = has_divergence;
}

std::map<std::string, double> BatchMetrics::Report(Method method) const {
  std::map<std::string, double> report;
  if (pairs == 0) return report;
  if (method == Method::kSft) {
    report["loss"] = -logp / response_tokens;
    report["logps/chosen"] = logp / pairs;
  } else {
    for (const auto& [name, value] : preference.Report()) report[name] = value;
  }
  if (has_divergence) report["divergence/relative"] = relative / pairs;
  report["entropy"] = entropy / response_tokens;
  report["tokens"] = tokens;
  report["pairs"] = pairs;
  return report;
}

}  // namespace fpo::train
