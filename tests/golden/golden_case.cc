#include "tests/golden/golden_case.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>
#include "train/loss/kto_loss.h"
#include "train/ops/vocab_head.h"
#include "train/sae/response_rows.h"

namespace fpo::train {
namespace {

GoldenObjective Objective(const char* name, Method method, double smoothing = 0) {
  GoldenObjective objective;
  objective.name = name;
  objective.options = {method, /*beta=*/0.7, /*alpha=*/0.9, /*gamma=*/0.3, smoothing, true};
  return objective;
}

struct Parts {
  PairLossKind loss = PairLossKind::kSigmoid;
  bool features = false;
  double sft_weight = 0;
  double smoothing = 0;
};

GoldenObjective With(const char* name, Method method, const Parts& parts) {
  GoldenObjective objective = Objective(name, method, parts.smoothing);
  objective.options.loss = parts.loss;
  objective.options.feature_constraint = parts.features;
  objective.options.sft_weight = parts.sft_weight;
  return objective;
}

GoldenObjective Kto(const char* name, bool swapped) {
  GoldenObjective objective = Objective(name, Method::kKto);
  objective.options.desirable_weight = 1.5;
  objective.options.undesirable_weight = 0.75;
  objective.swapped = swapped;
  return objective;
}

// Of the responses of one side with labels; those of the other are the mismatched ones.
at::Tensor KtoLoss(const PreferenceOptions& options, const SideValues& labelled,
                   const SideValues& mismatched) {
  const at::Tensor ratios = mismatched.logp.detach() - mismatched.reference_logp;
  const double kl = KtoKl(ratios.sum().item<double>(), kGoldenPairs);
  const at::Tensor labels = at::tensor({1, 0, 0, 1}, at::kInt).to(at::kBool);
  return KtoLosses({options.beta, options.desirable_weight, options.undesirable_weight},
                   {labelled.logp, labelled.reference_logp, labels.to(labelled.logp.device())}, kl)
      .mean();
}

}  // namespace

std::vector<GoldenObjective> GoldenObjectives() {
  GoldenObjective reference = Objective("fpo_reference", Method::kFpo);
  reference.selection = FeatureSelection::kReference;
  GoldenObjective policy = Objective("fpo_policy_smooth", Method::kFpo, 0.1);
  policy.selection = FeatureSelection::kPolicy;
  GoldenObjective no_stop = Objective("fpo_no_stop", Method::kFpo);
  no_stop.options.stop_gradient = false;
  GoldenObjective tdpo2_no_stop = Objective("tdpo2_no_stop_smooth", Method::kTdpo2, 0.1);
  tdpo2_no_stop.options.stop_gradient = false;
  GoldenObjective weighted = Objective("fpo_weighted", Method::kFpo);
  GoldenObjective reference_weighted = Objective("fpo_reference_weighted", Method::kFpo);
  reference_weighted.selection = FeatureSelection::kReference;
  weighted.weighted = reference_weighted.weighted = true;
  return {Objective("sft", Method::kSft),
          Objective("dpo", Method::kDpo),
          Objective("dpo_smooth", Method::kDpo, 0.1),
          Objective("ln_dpo", Method::kLnDpo),
          Objective("simpo", Method::kSimpo),
          Objective("fpo_union", Method::kFpo),
          reference,
          policy,
          no_stop,
          weighted,
          reference_weighted,
          Objective("simpo_kl", Method::kSimpoKl),
          Objective("tdpo1", Method::kTdpo1),
          Objective("tdpo2", Method::kTdpo2),
          tdpo2_no_stop,
          With("dpo_hinge", Method::kDpo, {PairLossKind::kHinge}),
          With("ln_dpo_ipo", Method::kLnDpo, {PairLossKind::kIpo}),
          With("dpo_robust", Method::kDpo, {PairLossKind::kRobust, false, 0, 0.1}),
          With("simpo_hinge", Method::kSimpo, {PairLossKind::kHinge}),
          With("dpo_features", Method::kDpo, {PairLossKind::kSigmoid, true}),
          With("simpo_features", Method::kSimpo, {PairLossKind::kSigmoid, true}),
          With("dpo_hinge_features", Method::kDpo, {PairLossKind::kHinge, true}),
          With("fpo_ipo", Method::kFpo, {PairLossKind::kIpo}),
          With("dpo_sft", Method::kDpo, {PairLossKind::kSigmoid, false, 0.3}),
          With("fpo_sft", Method::kFpo, {PairLossKind::kSigmoid, false, 0.3}),
          Objective("orpo", Method::kOrpo),
          Kto("kto", false),
          Kto("kto_rejected", true)};
}

GoldenCase::GoldenCase(const std::string& architecture, at::Device device, at::ScalarType type)
    : device_(device), type_(type) {
  at::set_num_threads(1);  // on tensors this small, threads only wait for each other
  const char* root = std::getenv("FPO_SOURCE_DIR");
  auto file = SafetensorsFile::Open(std::string(root == nullptr ? "." : root) + "/tests/golden/" +
                                    architecture + ".safetensors");
  TORCH_CHECK(file.ok(), file.status().ToString());
  file_ = *file;
  ids_ = Expected("batch.ids");
  lengths_ = Expected("batch.length");
  const at::Tensor start = Expected("batch.start");
  std::vector<at::Tensor> rows, owners;
  for (int64_t i = 0; i < ids_.size(0); ++i) {
    const int64_t first = i * ids_.size(1) + start[i].item<int64_t>();
    const int64_t length = lengths_[i].item<int64_t>();
    rows.push_back(at::arange(first, first + length, at::kLong));
    owners.push_back(at::full({length}, i, at::kLong));
  }
  rows_ = at::cat(rows).to(device);
  responses_ = at::cat(owners).to(device);
  ids_ = ids_.to(device);
  lengths_ = lengths_.to(device);
}

at::Tensor GoldenCase::Expected(const std::string& name) const {
  auto tensor = file_->Tensor(name);
  TORCH_CHECK(tensor.ok(), tensor.status().ToString());
  return tensor->clone();
}

std::vector<std::string> GoldenCase::ParameterNames() const {
  return nlohmann::json::parse(file_->metadata().at("parameters"));
}

Gemma GoldenCase::MakeModel() const { return ModelFrom(""); }
Gemma GoldenCase::MakeReference() const { return ModelFrom("reference."); }

Gemma GoldenCase::ModelFrom(const std::string& prefix) const {
  auto config = ParseGemmaConfig(file_->metadata().at("config"));
  TORCH_CHECK(config.ok(), config.status().ToString());
  TensorMap weights;
  for (const std::string& name : ParameterNames())
    weights[name] = Expected(prefix + name).to(device_, type_);
  auto model = Gemma::Create(*config, weights);
  TORCH_CHECK(model.ok(), model.status().ToString());
  return *std::move(model);
}

SparseAutoencoder GoldenCase::MakeSae(int64_t width) const {
  const std::string prefix = "sae" + std::to_string(width) + ".";
  SaeTensors tensors;
  tensors.w_enc = Expected(prefix + "w_enc");
  tensors.b_enc = Expected(prefix + "b_enc");
  tensors.threshold = Expected(prefix + "threshold");
  auto sae = SparseAutoencoder::Create(tensors);
  TORCH_CHECK(sae.ok(), sae.status().ToString());
  return sae->To(device_);
}

// Rows of response tokens, or with shift -1 the rows that predict them.
at::Tensor GoldenCase::RowsOf(const at::Tensor& states, int64_t shift) const {
  return states.flatten(0, 1).index_select(0, rows_ + shift);
}

GoldenCase::Sums GoldenCase::Score(const Gemma& model, const at::Tensor& hidden,
                                   bool with_reference) const {
  VocabHeadOptions options;
  options.softcap = model.config().final_softcap.value_or(0);
  options.chunk_rows = 16;
  if (with_reference) {
    const at::NoGradGuard no_grad;
    const Gemma reference = MakeReference();
    options.reference = {RowsOf(reference.Forward(ids_, {}).hidden, -1), reference.head(),
                         options.softcap};
  }
  const TokenScores scores = TokenLogProbs(RowsOf(hidden, -1), model.head(),
                                           ids_.flatten().index_select(0, rows_), options);
  const auto sums = [&](const at::Tensor& rows) {
    return rows.defined() ? ResponseSums(rows, responses_, ids_.size(0)) : rows;
  };
  return {sums(scores.log_probs), sums(scores.kl), sums(scores.reference_log_probs)};
}

at::Tensor GoldenCase::Pooled(const SparseAutoencoder& sae, const at::Tensor& site) const {
  return sae.PooledFeatures({RowsOf(site, 0), responses_, ids_.size(0)});
}

ForwardResult GoldenCase::Forward(const Gemma& model, const ForwardOptions& options) const {
  return model.Forward(ids_, options);
}

at::Tensor GoldenCase::Distance(const Gemma& model, const GoldenObjective& objective,
                                const at::Tensor& site) const {
  FeatureConstraintOptions options{kGoldenTopK, objective.selection, {}};
  if (objective.weighted) options.weights = Expected("feature_weights").to(device_);
  const SparseAutoencoder sae = MakeSae(model.config().hidden_size);
  const at::Tensor reference = Expected("reference.pooled").to(device_);
  if (objective.selection != FeatureSelection::kReference) {
    return FeatureDistance(Pooled(sae, site), reference, options);
  }
  const at::Tensor columns = TopIndices(reference, kGoldenTopK);
  return ColumnDistance(sae.PooledColumns({RowsOf(site, 0), responses_, ids_.size(0)}, columns),
                        reference.gather(1, columns), kGoldenTopK,
                        objective.weighted ? options.weights.index({columns}) : at::Tensor());
}

PreferencePairs GoldenCase::Pairs(const Gemma& model, const GoldenObjective& objective,
                                  const ForwardOptions& options) const {
  const bool features = NeedsFeatures(objective.options);
  ForwardOptions forward = options;
  if (features) forward.taps = {{model.config().layers - 1, Site::kResidPost}};
  const ForwardResult result = Forward(model, forward);
  const Sums sums = Score(model, result.hidden, NeedsKl(objective.options.method));
  const at::Tensor reference = Expected("reference.logps").to(device_);
  at::Tensor divergence = sums.kl;
  if (features) divergence = Distance(model, objective, result.sites[0]);
  const auto side = [&](int64_t first) {
    const auto part = [first](const at::Tensor& x) {
      return x.defined() ? x.narrow(0, first, kGoldenPairs) : at::Tensor();
    };
    return SideValues{part(sums.logp), part(reference), part(lengths_), part(divergence)};
  };
  return {side(0), side(kGoldenPairs), {}};
}

at::Tensor GoldenCase::Loss(const Gemma& model, const GoldenObjective& objective,
                            const ForwardOptions& options) const {
  const PreferencePairs pairs = Pairs(model, objective, options);
  if (objective.options.method == Method::kSft) {
    return SftLoss(pairs.chosen.logp, pairs.chosen.tokens.sum().item<double>());
  }
  if (objective.options.method == Method::kKto) {
    return objective.swapped ? KtoLoss(objective.options, pairs.rejected, pairs.chosen)
                             : KtoLoss(objective.options, pairs.chosen, pairs.rejected);
  }
  const double tokens = pairs.chosen.tokens.sum().item<double>();
  return PreferenceLoss(objective.options, pairs, {kGoldenPairs, tokens});
}

}  // namespace fpo::train
