#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "train/formats/safetensors.h"
#include "train/loss/feature_constraint.h"
#include "train/loss/preference_loss.h"
#include "train/model/gemma.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

inline constexpr int64_t kGoldenPairs = 4;
inline constexpr int64_t kGoldenTopK = 5;

// What differs between the objectives of make_goldens.py (its CASES).
struct GoldenObjective {
  std::string name;
  PreferenceOptions options;
  FeatureSelection selection = FeatureSelection::kUnion;
  bool weighted = false;
  bool swapped = false;  // kto: the rejected responses have the labels
};
std::vector<GoldenObjective> GoldenObjectives();

// One file of make_goldens.py and the trainer's layers applied to its batch. Rows 0-3 are chosen
// responses, 4-7 the rejected ones of the same pairs.
class GoldenCase {
 public:
  // architecture: gemma2 | gemma3. The model and its batch live on `device` in `type`.
  GoldenCase(const std::string& architecture, at::Device device, at::ScalarType type = at::kFloat);

  at::Tensor Expected(const std::string& name) const;  // on the CPU
  std::vector<std::string> ParameterNames() const;     // in the order of stored gradients
  Gemma MakeModel() const;
  Gemma MakeReference() const;
  SparseAutoencoder MakeSae(int64_t width) const;
  at::Tensor lengths() const { return lengths_; }  // [8] response tokens

  // Summed log-probs [8] of a forward's hidden states, and with the reference's also the KL.
  struct Sums {
    at::Tensor logp, kl, reference_logp;
  };
  Sums Score(const Gemma& model, const at::Tensor& hidden, bool with_reference) const;
  // Pooled features [8, F] of a site's activations [8, seq, width].
  at::Tensor Pooled(const SparseAutoencoder& sae, const at::Tensor& site) const;
  ForwardResult Forward(const Gemma& model, const ForwardOptions& options) const;
  // The pairs of an objective, ready for PreferenceLoss.
  PreferencePairs Pairs(const Gemma& model, const GoldenObjective& objective,
                        const ForwardOptions& options = {}) const;
  // The objective's loss over the batch, differentiable in the model's parameters.
  at::Tensor Loss(const Gemma& model, const GoldenObjective& objective,
                  const ForwardOptions& options = {}) const;

 private:
  at::Tensor RowsOf(const at::Tensor& states, int64_t shift) const;
  Gemma ModelFrom(const std::string& prefix) const;
  at::Tensor Distance(const Gemma& model, const GoldenObjective& objective,
                      const at::Tensor& site) const;

  std::shared_ptr<const SafetensorsFile> file_;
  at::Device device_;
  at::ScalarType type_;
  at::Tensor ids_;        // [8, seq]
  at::Tensor lengths_;    // [8]
  at::Tensor rows_;       // flat row numbers of response tokens in [8 * seq]
  at::Tensor responses_;  // owner of each
};

}  // namespace fpo::train
