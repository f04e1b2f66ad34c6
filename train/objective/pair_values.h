#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "train/loss/kto_loss.h"
#include "train/loss/preference_loss.h"
#include "train/ops/host_values.h"

namespace fpo::train {

// What an evaluation measures of each of n pairs. Fields have the names of metrics.jsonl, where
// their means over pairs are. A field is absent for all pairs when the method or the reference does
// not give it. Not thread-safe.
class PairValues {
 public:
  enum Field {
    kLoss,  // of the pair, without an SFT term; sft: nats per token of this response. The mean of
            // either is not the metric
    kRewardsChosen,
    kRewardsRejected,
    kRewardsMargin,
    kLogpsChosen,  // sums over response tokens
    kLogpsRejected,
    kReferenceLogpsChosen,
    kReferenceLogpsRejected,
    kTokensChosen,  // scored tokens of the response
    kTokensRejected,
    kDivergenceChosen,
    kDivergenceRejected,
    kKlChosen,  // sequential KL(ref || policy), summed over response tokens
    kKlRejected,
    kLabel,   // kto: 1 desirable, 0 undesirable
    kReward,  // of kto's example
    kFieldCount,
  };
  static const char* Name(Field field);

  PairValues() : PairValues(0) {}
  explicit PairValues(int64_t pairs);

  int64_t size() const { return pairs_; }
  // Unset in all pairs: absent.
  std::optional<double> Get(Field field, int64_t pair) const;
  void Set(Field field, int64_t pair, double value);
  // values: [n] of any numeric type; undefined: the field stays absent. They are there when `host`
  // is read; until then the object must not move.
  void SetAll(Field field, const at::Tensor& values, HostValues* host);
  // All fields of preference pairs. `kl`: [2n] of an evaluation that measured it, the chosen sides
  // first; else undefined. As with SetAll they are there when `host` is read.
  void SetPairs(const PreferenceOptions& options, const PreferencePairs& pairs,
                const at::Tensor& kl, HostValues* host);
  // Those of sft; logp and tokens: [n].
  void SetResponses(const at::Tensor& logp, const at::Tensor& tokens, HostValues* host);
  // Those of kto, its response's as those of a chosen side; tokens: [n].
  void SetExamples(const KtoPart& part, const at::Tensor& tokens, HostValues* host);
  // Copies pair `from` of `part` to pair `to`.
  void Copy(const PairValues& part, int64_t from, int64_t to);

  // All values in one vector, zero where unset, whose sum over ranks with disjoint pairs is that of
  // all of them.
  std::vector<double>* packed() { return &packed_; }

 private:
  size_t At(Field field, int64_t pair) const;
  size_t Presence(Field field) const;  // in packed_: above 0 when the field is set

  int64_t pairs_;
  std::vector<double> packed_;
};

}  // namespace fpo::train
