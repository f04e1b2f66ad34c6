#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "train/loss/kto_loss.h"
#include "train/loss/preference_metrics.h"
#include "train/ops/host_values.h"

namespace fpo::train {

// Sums behind one line of metrics.jsonl: added over micro-batches and ranks, then divided once.
struct BatchMetrics {
  enum Field {
    kPairs,
    kTokens,  // prompts and responses, padding left out
    kResponseTokens,
    kModelFlops,  // TrainingFlops, for mfu and gemm_fraction
    kEntropy,     // over log-prob rows, nats
    kEntropyTop,  // of the 100 most likely tokens
    kLogp,        // sft: over responses
    kRelative,    // D / |c_ref|^2, mean of the two sides, over pairs
    kKlChosen,    // sequential KL(ref || policy), over responses
    kKlRejected,
    kKlMargin,  // |beta KL_rejected - beta KL_chosen|, over pairs
    kChosenTokens,
    kRejectedTokens,
    kKtoKl,      // kto's estimate, over examples
    kDesirable,  // kto: number of examples
    kKtoLoss,
    kRewardsDesirable,
    kRewardsUndesirable,
    kLogpsDesirable,
    kLogpsUndesirable,
    // Number of parts that measured an optional quantity. A rank without pairs in a step has none
    // itself but reports the other ranks'.
    kDivergenceParts,
    kRelativeParts,
    kEntropyTopParts,
    kKlParts,
    kFieldCount,
  };
  PreferenceMetrics preference;  // pairwise methods
  std::array<double, kFieldCount> sums{};

  double& operator[](Field field) { return sums[field]; }
  double operator[](Field field) const { return sums[field]; }
  BatchMetrics& operator+=(const BatchMetrics& other);
  std::vector<double> Pack() const;                // for one all-reduce
  void Unpack(const std::vector<double>& values);  // of Pack's size

  // Of kto: loss, kl, and rewards/* and logps/* of the desirable examples as chosen, of the
  // undesirable as rejected, which are left out where there are none.
  void ReportKto(std::map<std::string, double>* report) const;
  // Means and totals under their metrics.jsonl names. Empty without pairs.
  std::map<std::string, double> Report(const PreferenceOptions& options) const;
};

// Adds the sums of kto's examples. They are in `metrics` when `values` is read.
void MeasureExamples(const KtoPart& part, BatchMetrics* metrics, HostValues* values);

}  // namespace fpo::train
