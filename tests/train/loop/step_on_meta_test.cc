// A training step of every method on the meta device, where nothing has a value: a tensor left on
// the CPU shows, and so does each place where a GPU's host would wait.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/reference/record_key.h"
#include "tests/train/support/meta_device.h"
#include "tests/train/support/tiny_run.h"
#include "train/loop/step_gradients.h"
#include "train/objective/objective.h"
#include "train/optim/grad_clip.h"
#include "train/optim/optimizer.h"
#include "train/reference/online_reference.h"
#include "train/reference/record_reference.h"
#include "train/reference/reference_file.h"

namespace fpo::train {
namespace {

constexpr int64_t kTopK = 8, kFeatures = 32, kPairs = 3;

enum class From { kNone, kRecords, kOnline };

// What may wait for the device. A step: the norm of the gradients is one number (GlobalNorm). A
// micro-batch: its loss and metrics are one copy (HostValues), and
struct Waits {
  int64_t copies = 0;
  int64_t nonzeros = 0;
};
constexpr Waits kNothingElse = {};
// ... of a KL, which chunks of rows have a gradient through it (ChunksWithKl).
constexpr Waits kKl = {1, 0};

struct Case {
  std::string name;
  Method method;
  From reference;
  Waits waits;
  FeatureSelection selection = FeatureSelection::kUnion;
  Site site = Site::kResidPost;
  bool hidden = false;
  bool stop_gradient = true;
  bool weights = false;
  bool constraint = false;  // on features, of another method than fpo
  PairLossKind loss = PairLossKind::kSigmoid;
  double sft_weight = 0;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

std::vector<Case> Cases() {
  using S = FeatureSelection;
  std::vector<Case> cases = {
      {"sft", Method::kSft, From::kNone, kNothingElse},
      {"simpo", Method::kSimpo, From::kNone, kNothingElse},
      {"dpo_records", Method::kDpo, From::kRecords, kNothingElse},
      {"dpo_online", Method::kDpo, From::kOnline, kNothingElse},
      {"ln_dpo_records", Method::kLnDpo, From::kRecords, kNothingElse},
      {"ln_dpo_online", Method::kLnDpo, From::kOnline, kNothingElse},
      {"simpo_kl", Method::kSimpoKl, From::kOnline, kKl},
      {"tdpo1", Method::kTdpo1, From::kOnline, kKl},
      {"tdpo2", Method::kTdpo2, From::kOnline, kKl},
      {"orpo", Method::kOrpo, From::kNone, kNothingElse},
      {"kto_records", Method::kKto, From::kRecords, kNothingElse},
      {"kto_online", Method::kKto, From::kOnline, kNothingElse},
  };
  const auto fpo = [&](std::string name, Waits waits) -> Case& {
    return cases.emplace_back(Case{"fpo_" + name, Method::kFpo, From::kRecords, waits});
  };
  fpo("union", kNothingElse);
  fpo("online", kNothingElse).reference = From::kOnline;
  fpo("policy", kNothingElse).selection = S::kPolicy;
  fpo("reference", kNothingElse).selection = S::kReference;
  fpo("both_sides", kNothingElse).stop_gradient = false;
  fpo("weights", kNothingElse).weights = true;
  fpo("mlp_out", kNothingElse).site = Site::kMlpOut;
  fpo("attn_z", kNothingElse).site = Site::kAttnZ;
  for (const S selection : {S::kUnion, S::kPolicy, S::kReference}) {
    Case& hidden = fpo("hidden_" + std::to_string(static_cast<int>(selection)), kNothingElse);
    hidden.selection = selection;
    hidden.hidden = true;
  }
  const auto add = [&](std::string name, Method method, From reference) -> Case& {
    return cases.emplace_back(Case{std::move(name), method, reference, kNothingElse});
  };
  add("dpo_features", Method::kDpo, From::kRecords).constraint = true;
  add("simpo_features", Method::kSimpo, From::kRecords).constraint = true;
  add("dpo_hinge", Method::kDpo, From::kRecords).loss = PairLossKind::kHinge;
  add("ln_dpo_ipo", Method::kLnDpo, From::kRecords).loss = PairLossKind::kIpo;
  add("dpo_robust", Method::kDpo, From::kRecords).loss = PairLossKind::kRobust;
  add("dpo_sft_weight", Method::kDpo, From::kRecords).sft_weight = 0.5;
  Case& weighted = fpo("reference_weights", kNothingElse);
  weighted.selection = S::kReference;
  weighted.weights = true;
  return cases;
}

at::TensorOptions OnMeta(at::ScalarType type) {
  return at::TensorOptions().device(at::kMeta).dtype(type);
}

Gemma MetaModel(at::ScalarType type) {
  TensorMap weights;
  for (const auto& [name, shape] : TensorShapes(TinyForTest())) {
    weights[name] = at::empty(shape, OnMeta(type));
  }
  return *Gemma::Create(TinyForTest(), std::move(weights));
}

struct Variant {
  at::ScalarType type;
  bool activation_checkpointing;
  const char* optimizer;
};

class StepOnMeta : public ::testing::TestWithParam<Case> {
 protected:
  StepOnMeta() {
    const Case& c = GetParam();
    options_.preference.method = c.method;
    options_.preference.stop_gradient = c.stop_gradient;
    options_.preference.loss = c.loss;
    options_.preference.label_smoothing = c.loss == PairLossKind::kRobust ? 0.1 : 0;
    options_.preference.feature_constraint = c.constraint;
    options_.preference.sft_weight = c.sft_weight;
    options_.constraint.top_k = kTopK;
    options_.constraint.selection = c.selection;
    if (!NeedsFeatures(options_.preference)) return;
    const int64_t width = SiteWidth(TinyForTest(), c.site);
    SparseAutoencoder sae = SparseAutoencoder::Identity(width);
    if (!c.hidden) {
      sae = *SparseAutoencoder::Create({at::randn({width, kFeatures}), at::zeros({kFeatures}),
                                        at::zeros({kFeatures}), at::Tensor(), at::Tensor(), false});
    }
    options_.saes = {{sae.To(at::kMeta), Tap{1, c.site}, "sae", std::string(64, 'b'), {}}};
    if (c.weights) options_.constraint.weights = at::ones({kFeatures}, OnMeta(at::kFloat));
  }

  std::unique_ptr<ReferenceSource> Reference(at::ScalarType type) const {
    switch (GetParam().reference) {
      case From::kNone:
        return nullptr;
      case From::kOnline:
        return std::make_unique<OnlineReference>(MetaModel(type), options_.saes);
      case From::kRecords:
        break;
    }
    return Records();
  }

  std::vector<TokenPairView> Pairs() const {
    std::vector<TokenPairView> pairs;
    for (int64_t i = 0; i < file_.size(); ++i) pairs.push_back(file_.pair(i));
    return pairs;
  }

  GlobalBatch WholeBatch() const {
    GlobalBatch global{kPairs};
    for (const TokenPairView& pair : Pairs()) {
      global.chosen_tokens += static_cast<double>(pair.chosen.size());
    }
    return global;
  }

  std::unique_ptr<ReferenceSource> Records() const {
    Recipe recipe;
    recipe.model_digest = std::string(64, 'a');
    recipe.forward = "gemma-1";
    recipe.dtype = "float32";
    recipe.device = "cpu";
    for (const LoadedSae& sae : options_.saes) {
      recipe.sae.emplace_back().digest = sae.digest;
      recipe.sae.back().site = SiteName(sae.tap.site);
    }
    std::vector<int64_t> widths;
    for (const LoadedSae& sae : options_.saes) widths.push_back(sae.sae.features());
    std::vector<ReferenceResponse> responses;
    std::vector<Record> records;
    for (const Sequence& sequence : BothSides(Pairs())) {
      responses.push_back(
          {RecordKey(sequence.prompt, sequence.response), sequence.prompt, sequence.response});
      Record record;
      record.tokens = static_cast<uint32_t>(sequence.response.size());
      record.features.resize(widths.size(), {{1, 0.5f}});
      records.push_back(record);
    }
    const std::string path = tiny_.Path("meta.fpr");
    const absl::Status written = WriteRecords(path, recipe, responses, records);
    EXPECT_TRUE(written.ok()) << written;
    auto opened = RecordReference::Open({path, recipe, widths, at::kMeta});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  // As Trainer::TrainStep does.
  void Step(const Variant& variant) {
    options_.activation_checkpointing = variant.activation_checkpointing;
    Gemma model = MetaModel(variant.type);
    model.SetRequiresGrad(true);
    const std::unique_ptr<ReferenceSource> reference = Reference(variant.type);
    const Objective objective(model, options_, reference.get());
    const auto optimizer = *MakeOptimizer(variant.optimizer, model.Parameters(), {});
    GradientBuffer gradients(model.Parameters());
    Batcher::Options batches;
    batches.pairs_per_step = kPairs;
    std::vector<int64_t> longest;
    for (int64_t i = 0; i < file_.size(); ++i) longest.push_back(file_.LongestSequence(i));
    const Batcher batcher(longest, batches);
    MicroBatchSize one_pair({1, false});
    DeviceWatch watch(kTopK);
    const auto share =
        ComputeGradients({objective, file_, batcher, 3, 0, WholeBatch()}, &one_pair, &gradients);
    ASSERT_TRUE(share.ok()) << share.status();
    EXPECT_EQ(ClipGlobalNorm(gradients.gradients(), 0.5), 1) << "made up by the test's kernels";
    optimizer->Step(gradients.gradients(), 1e-3);
    gradients.Clear();
    const Waits& waits = GetParam().waits;
    EXPECT_EQ(watch.use().items, 1);
    EXPECT_EQ(watch.use().copies, kPairs * (1 + waits.copies)) << "of one pair each";
    EXPECT_EQ(watch.use().nonzeros, kPairs * waits.nonzeros);
    EXPECT_THAT(watch.use().mixed, ::testing::IsEmpty());
  }

  const TinyRun tiny_;
  const TokenFile file_ = *TokenFile::Open(tiny_.Path("prepared/train.safetensors"));
  ObjectiveOptions options_;
};

TEST_P(StepOnMeta, UsesOneDeviceAndWaitsWhereItMust) {
  const Variant variants[] = {{at::kFloat, false, "adam"},
                              {at::kFloat, true, "adam"},
                              {at::kBFloat16, true, "adamw"},
                              {at::kBFloat16, false, "rmsprop"}};
  for (const Variant& variant : variants) {
    SCOPED_TRACE(::testing::Message() << variant.type << " " << variant.optimizer
                                      << (variant.activation_checkpointing ? ", recomputing" : ""));
    Step(variant);
  }
}

// An evaluation reads its metrics in one copy too.
TEST_P(StepOnMeta, EvaluatesWithOneWait) {
  const at::NoGradGuard no_grad;
  const Gemma model = MetaModel(at::kFloat);
  const std::unique_ptr<ReferenceSource> reference = Reference(at::kFloat);
  const Objective objective(model, options_, reference.get());
  DeviceWatch watch(kTopK);
  const auto part = objective.Compute(Pairs(), WholeBatch());
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(watch.use().items, 0);
  EXPECT_EQ(watch.use().copies, 1);
  EXPECT_EQ(watch.use().nonzeros, 0);
  EXPECT_THAT(watch.use().mixed, ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Methods, StepOnMeta, ::testing::ValuesIn(Cases()),
                         [](const auto& one) { return one.param.name; });

// The watch itself: what it must see.
TEST(DeviceWatch, SeesTensorsOfBothDevicesAndWhatIsRead) {
  const at::Tensor on_meta = at::empty({3, 3}, OnMeta(at::kFloat));
  const at::Tensor on_host = at::ones({3, 3});
  DeviceWatch watch(1);
  at::mm(on_meta, on_host);
  EXPECT_THROW(on_host.copy_(on_meta), c10::Error);
  EXPECT_THAT(watch.use().mixed, ::testing::ElementsAre("aten::mm", "aten::copy_"));
  on_host.to(at::kMeta);
  on_meta.mul(2.0).sum().item<double>();
  on_meta.cpu();
  on_meta.nonzero();
  EXPECT_EQ(watch.use().mixed.size(), 2u);
  EXPECT_EQ(watch.use().items, 1);
  EXPECT_EQ(watch.use().copies, 1);
  EXPECT_EQ(watch.use().nonzeros, 1);
}

}  // namespace
}  // namespace fpo::train
