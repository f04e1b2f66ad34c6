#include "train/objective/feature_contract.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/temp_folder.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

FeatureSetSection Set(const std::string& name, std::vector<int64_t> features) {
  FeatureSetSection set;
  set.name = name;
  set.features = std::move(features);
  set.max_change = 0.1;
  return set;
}

std::vector<FeatureContract> Contracts(std::vector<FeatureSetSection> sets) {
  ConstraintSection section;
  section.sets = std::move(sets);
  const auto contracts = MakeContracts(section, {4, 3}, at::kCPU);
  EXPECT_TRUE(contracts.ok()) << contracts.status();
  return *contracts;
}

std::vector<ContractResult> Measure(const std::vector<FeatureContract>& contracts,
                                    const at::Tensor& policy, const at::Tensor& reference) {
  ContractSums sums(contracts);
  HostValues host;
  sums.Set(contracts, {0, policy, reference}, &host);
  host.Read();
  const auto results = sums.Results(contracts);
  EXPECT_TRUE(results.ok()) << results.status();
  return *results;
}

// Two pairs, chosen sides first, four features.
at::Tensor ReferenceFeatures() {
  return at::tensor({1.0, 0.0, 4.0, 0.0,  //
                     3.0, 0.0, 0.0, 0.0,  //
                     2.0, 2.0, 0.0, 0.0,  //
                     2.0, 0.0, 0.0, 0.0})
      .view({4, 4});
}

at::Tensor PolicyFeatures() {
  return at::tensor({2.0, 0.0, 3.0, 0.0,  //
                     4.0, 0.0, 0.0, 0.5,  //
                     1.0, 3.0, 0.0, 0.0,  //
                     1.0, 0.0, 0.0, 0.0})
      .view({4, 4});
}

TEST(FeatureContract, TheChangeIsThatOfTheMeans) {
  FeatureSetSection chosen = Set("chosen", {2, 0}), rejected = Set("rejected", {0, 1});
  FeatureSetSection both = Set("both", {0, 2}), absolute = Set("absolute", {2, 3});
  chosen.side = "chosen";
  rejected.side = "rejected";
  absolute.unit = "absolute";
  const auto results =
      Measure(Contracts({chosen, rejected, both, absolute}), PolicyFeatures(), ReferenceFeatures());
  ASSERT_EQ(results.size(), 4u);
  // Means of chosen: reference 2, 2; policy 3, 1.5.
  EXPECT_NEAR(results[0].change, (1 + 0.5) / (2 + 2), 1e-12);
  // Of rejected: reference 2, 1; policy 1, 1.5.
  EXPECT_NEAR(results[1].change, (1 + 0.5) / (2 + 1), 1e-12);
  // Feature 0 rises on one side and falls on the other: its mean stays.
  EXPECT_NEAR(results[2].change, (0 + 0.25) / (2 + 1), 1e-12);
  EXPECT_NEAR(results[3].change, 0.25 + 0.125, 1e-12);
}

TEST(FeatureContract, PartsOfABatchAddUp) {
  const auto contracts = Contracts({Set("a", {0, 1})});
  ContractSums whole;
  for (const int64_t pair : {0, 1}) {
    const auto part = [&](const at::Tensor& all) {
      return all.index_select(0, at::tensor({pair, pair + 2}, at::kLong));
    };
    ContractSums sums(contracts);
    HostValues host;
    sums.Set(contracts, {0, part(PolicyFeatures()), part(ReferenceFeatures())}, &host);
    host.Read();
    whole += sums;
  }
  EXPECT_DOUBLE_EQ(whole.Results(contracts)->front().change,
                   Measure(contracts, PolicyFeatures(), ReferenceFeatures()).front().change);
}

TEST(FeatureContract, EachSetLooksAtItsOwnSae) {
  FeatureSetSection second = Set("second", {2});
  second.sae = 1;
  const auto contracts = Contracts({Set("first", {0}), second});
  ContractSums sums(contracts);
  HostValues host;
  sums.Set(contracts, {0, PolicyFeatures(), PolicyFeatures()}, &host);
  sums.Set(contracts, {1, at::full({2, 3}, 3.0), at::full({2, 3}, 2.0)}, &host);
  host.Read();
  const auto results = sums.Results(contracts);
  EXPECT_DOUBLE_EQ((*results)[0].change, 0);
  EXPECT_DOUBLE_EQ((*results)[1].change, 0.5);
}

// 0 of 0 is no relative change.
TEST(FeatureContract, ASetThatTheReferenceNeverActivatesHasNoRelativeChange) {
  FeatureSetSection dead = Set("dead", {3});
  auto contracts = Contracts({dead});
  ContractSums sums(contracts);
  HostValues host;
  sums.Set(contracts, {0, PolicyFeatures(), ReferenceFeatures()}, &host);
  host.Read();
  const absl::Status status = sums.Results(contracts).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no feature of dead in the 4 evaluation"));
  dead.unit = "absolute";
  EXPECT_DOUBLE_EQ(Measure(Contracts({dead}), PolicyFeatures(), ReferenceFeatures())[0].change,
                   0.125);
}

TEST(FeatureContract, AFeatureOutsideItsSaeIsNamed) {
  ConstraintSection section;
  section.sets = {Set("far", {1, 4})};
  const absl::Status status = MakeContracts(section, {4}, at::kCPU).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("far names feature 4; SAE 0 has 4"));
}

TEST(FeatureContract, AFileListsTheFeatures) {
  const fpo::testing::TempFolder folder;
  ConstraintSection section;
  section.sets = {Set("listed", {})};
  section.sets[0].features_file = folder / "features.txt";
  const auto with = [&](const std::string& text) {
    fpo::testing::WriteWhole(section.sets[0].features_file, text);
    return MakeContracts(section, {4}, at::kCPU);
  };
  const auto contracts = with("# tone\n3\n\n 1 \n");
  ASSERT_TRUE(contracts.ok()) << contracts.status();
  EXPECT_TRUE(at::equal((*contracts)[0].features, at::tensor({3, 1}, at::kLong)));
  EXPECT_THAT(std::string(with("1\n1\n").status().message()), HasSubstr(":2: feature 1 is there"));
  EXPECT_THAT(std::string(with("-1\n").status().message()), HasSubstr(":1: this line of 2"));
  EXPECT_THAT(std::string(with("1 2\n").status().message()), HasSubstr("is no feature"));
  EXPECT_THAT(std::string(with("4\n").status().message()), HasSubstr("names feature 4"));
  EXPECT_THAT(std::string(with("\n").status().message()), HasSubstr("holds no feature"));
  section.sets[0].features_file = folder / "none.txt";
  EXPECT_EQ(ExitCodeOf(MakeContracts(section, {4}, at::kCPU).status()), ExitCode::kInvalid);
}

TEST(FeatureContract, BrokenIsAboveNotAt) {
  const std::vector<ContractResult> results = {
      {"at", 0.1, 0.1},
      {"above", 0.25, 0.1},
      {"lost", std::numeric_limits<double>::quiet_NaN(), 0.1, false}};
  EXPECT_THAT(DescribeBroken(results, 40),
              ElementsAre("a contract is broken at step 40: above has moved by 0.25 of its "
                          "activation under the reference, and may by 0.1",
                          HasSubstr("lost has moved by nan, and may by 0.1")));
  ConstraintSection section;
  EXPECT_TRUE(RefusesToPublish(section, results));
  EXPECT_FALSE(RefusesToPublish(section, {results[0]}));
  section.on_broken = "warn";
  EXPECT_FALSE(RefusesToPublish(section, results));
}

TEST(FeatureContract, TheErrorSaysWhatToDo) {
  const absl::Status status = UnpublishedError({{"tone", 0.5, 0.1}}, 8, "/out/checkpoints/step-8");
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kContract);
  for (const char* part : {"tone", "fpo-train export /out/checkpoints/step-8 --out DIR",
                           "constraint.on_broken: warn", "--resume"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
}

}  // namespace
}  // namespace fpo::train
