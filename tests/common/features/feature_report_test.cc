#include "common/features/feature_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/common/features/sample_report.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

nlohmann::json SampleJson() { return nlohmann::json::parse(FeatureReportJson(SampleReport())); }

std::string RefusalOf(const nlohmann::json& json) {
  const auto report = ParseFeatureReport(json.dump());
  return report.ok() ? "accepted" : std::string(report.status().message());
}

TEST(FeatureReportTest, IsReadAsItWasWritten) {
  const auto report = ParseFeatureReport(FeatureReportJson(SampleReport()));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(*report, SampleReport());
}

TEST(FeatureReportTest, FindsAFeatureInBothLists) {
  const SaeMovement sae = SampleReport().saes.front();
  EXPECT_EQ(sae.Find(3)->label, "apologises");
  EXPECT_EQ(sae.Find(8)->index, 8);
  EXPECT_EQ(sae.Find(4), nullptr);
  EXPECT_EQ(sae.Find(9), nullptr);
}

TEST(FeatureReportTest, NumbersThatAreNoneAreNull) {
  FeatureReport report = SampleReport();
  report.saes[0].after->ce = std::numeric_limits<double>::quiet_NaN();
  const auto json = nlohmann::json::parse(FeatureReportJson(report));
  EXPECT_TRUE(json["saes"][0]["fit"]["after"]["ce"].is_null());
  const auto read = ParseFeatureReport(json.dump());
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->saes[0].after->ce.has_value());
}

TEST(FeatureReportTest, BytesThatAreNoTextAreReplaced) {
  FeatureReport report = SampleReport();
  report.saes[0].moved[0].spans[0].tokens[0] = "\xff";
  const auto read = ParseFeatureReport(FeatureReportJson(report));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->saes[0].moved[0].spans[0].tokens[0], "\xEF\xBF\xBD");
}

TEST(FeatureReportTest, AnythingElseIsAnErrorThatSaysWhat) {
  nlohmann::json json = SampleJson();
  json["version"] = 2;
  EXPECT_THAT(RefusalOf(json), HasSubstr("version 2, this program reads 1"));
  json = SampleJson();
  json["saes"][0].erase("digest");
  EXPECT_THAT(RefusalOf(json), HasSubstr("digest"));
  json = SampleJson();
  json["saes"][0]["moved"][0]["index"] = "three";
  EXPECT_THAT(RefusalOf(json), HasSubstr("not a features.json"));
  json = SampleJson();
  json["saes"][0]["moved"][0]["spans"][0]["strongest"] = 3;
  EXPECT_THAT(RefusalOf(json), HasSubstr("a span has other numbers of codes than of tokens"));
  json = SampleJson();
  json["saes"][0]["moved"][0]["spans"][0]["after"].erase(0);
  EXPECT_THAT(RefusalOf(json), HasSubstr("a span has other numbers of codes than of tokens"));
  json = SampleJson();
  json["saes"][0]["moved"] = nlohmann::json::array();
  for (int i = 0; i <= 20000; ++i) json["saes"][0]["moved"].push_back(0);
  EXPECT_THAT(RefusalOf(json), HasSubstr("moved is not a list of at most 20000"));
  EXPECT_THAT(RefusalOf(nlohmann::json::array()), HasSubstr("not a features.json"));
  EXPECT_FALSE(ParseFeatureReport("{").ok());
  EXPECT_FALSE(ReadFeatureReport("/nowhere/features.json").ok());
}

TEST(FeatureReportTest, ReportsShareTheSaesOfOneDigestLayerAndSite) {
  FeatureReport a = SampleReport(), b = SampleReport();
  a.saes.insert(a.saes.begin(), a.saes[0]);
  a.saes[0].layer = 1;
  b.job = "other";
  ASSERT_TRUE(SharedSaes({a, b}).ok());
  EXPECT_THAT(*SharedSaes({a, b}), ElementsAre(1));
  EXPECT_EQ(SameSae(b, a.saes[1]).layer, 2);
  b.saes[0].digest = "ee55";
  const auto shared = SharedSaes({a, b});
  EXPECT_TRUE(absl::IsFailedPrecondition(shared.status()));
  EXPECT_THAT(std::string(shared.status().message()),
              AllOf(HasSubstr("tiny-fpo has /saes/params.npz (digest dd44, layer 1 resid_post)"),
                    HasSubstr("other has /saes/params.npz (digest ee55, layer 2 resid_post)")));
}

TEST(FeatureReportTest, OtherPairsOrAnotherReferenceMakeAComparisonDoubtful) {
  FeatureReport a = SampleReport(), b = SampleReport();
  EXPECT_THAT(ComparisonDoubts({a, b}), IsEmpty());
  b.job = "other";
  b.pairs = 3;
  EXPECT_THAT(ComparisonDoubts({a, b}),
              ElementsAre(HasSubstr("other was measured on other pairs than tiny-fpo (3 and 4")));
  b.reference_digest = "ff66";
  EXPECT_THAT(ComparisonDoubts({a, b}), SizeIs(2));
}

}  // namespace
}  // namespace fpo
