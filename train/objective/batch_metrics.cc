#include "train/objective/batch_metrics.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fpo::train {

BatchMetrics& BatchMetrics::operator+=(const BatchMetrics& other) {
  preference += other.preference;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums[i];
  return *this;
}

std::vector<double> BatchMetrics::Pack() const {
  std::vector<double> values(preference.sums.begin(), preference.sums.end());
  values.insert(values.end(), sums.begin(), sums.end());
  return values;
}

void BatchMetrics::Unpack(const std::vector<double>& values) {
  TORCH_CHECK(values.size() == preference.sums.size() + sums.size(), "BatchMetrics of ",
              values.size(), " values");
  const auto rest = values.begin() + static_cast<int64_t>(preference.sums.size());
  std::copy(values.begin(), rest, preference.sums.begin());
  std::copy(rest, values.end(), sums.begin());
  preference.has_divergence = sums[kDivergenceParts] > 0;
}

std::map<std::string, double> BatchMetrics::Report(const PreferenceOptions& options) const {
  std::map<std::string, double> report;
  const double pairs = sums[kPairs], rows = sums[kResponseTokens];
  if (pairs == 0) return report;
  if (options.method == Method::kSft) {
    report["loss"] = -sums[kLogp] / rows;
    report["logps/chosen"] = sums[kLogp] / pairs;
  } else if (options.method == Method::kKto) {
    ReportKto(&report);
  } else {
    for (const auto& [name, value] : preference.Report(options)) report[name] = value;
  }
  if (sums[kRelativeParts] > 0) report["divergence/relative"] = sums[kRelative] / pairs;
  if (sums[kKlParts] > 0) {
    report["kl/chosen"] = sums[kKlChosen] / pairs;
    report["kl/rejected"] = sums[kKlRejected] / pairs;
    report["kl/margin"] = sums[kKlMargin] / pairs;
    report["kl/chosen_per_token"] = sums[kKlChosen] / sums[kChosenTokens];
    report["kl/rejected_per_token"] = sums[kKlRejected] / sums[kRejectedTokens];
  }
  report["entropy"] = sums[kEntropy] / rows;
  if (sums[kEntropyTopParts] > 0) report["entropy_top100"] = sums[kEntropyTop] / rows;
  report["tokens"] = sums[kTokens];
  report["pairs"] = pairs;
  return report;
}

void BatchMetrics::ReportKto(std::map<std::string, double>* report) const {
  const double all = sums[kPairs], desirable = sums[kDesirable], undesirable = all - desirable;
  (*report)["loss"] = sums[kKtoLoss] / all;
  (*report)["kl"] = sums[kKtoKl] / all;
  if (desirable > 0) {
    (*report)["rewards/chosen"] = sums[kRewardsDesirable] / desirable;
    (*report)["logps/chosen"] = sums[kLogpsDesirable] / desirable;
  }
  if (undesirable > 0) {
    (*report)["rewards/rejected"] = sums[kRewardsUndesirable] / undesirable;
    (*report)["logps/rejected"] = sums[kLogpsUndesirable] / undesirable;
  }
  if (desirable > 0 && undesirable > 0) {
    (*report)["rewards/margins"] = (*report)["rewards/chosen"] - (*report)["rewards/rejected"];
  }
}

void MeasureExamples(const KtoPart& part, BatchMetrics* metrics, HostValues* values) {
  const at::NoGradGuard no_grad;
  const KtoExamples& examples = part.examples;
  const at::Tensor rewards = KtoRewards(part.options, examples);
  const auto sum = [&](BatchMetrics::Field field, const at::Tensor& each) {
    values->Add(each.to(at::kDouble).sum(), &(*metrics)[field]);
  };
  const auto of = [&](bool desirable, const at::Tensor& each) {
    const at::Tensor& wanted = examples.desirable;
    return desirable ? at::where(wanted, each, 0.0) : at::where(wanted, 0.0, each);
  };
  sum(BatchMetrics::kDesirable, examples.desirable);
  sum(BatchMetrics::kKtoLoss, KtoLosses(part.options, examples, part.kl));
  sum(BatchMetrics::kRewardsDesirable, of(true, rewards));
  sum(BatchMetrics::kRewardsUndesirable, of(false, rewards));
  sum(BatchMetrics::kLogpsDesirable, of(true, examples.logp));
  sum(BatchMetrics::kLogpsUndesirable, of(false, examples.logp));
}

}  // namespace fpo::train
