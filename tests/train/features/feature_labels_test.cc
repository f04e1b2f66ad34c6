#include "train/features/feature_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const LabelledSae kSae = {20, "resid_post", 16384};

// As in Neuronpedia's export.
std::string Line(const std::string& index, const std::string& description,
                 const std::string& layer = "20-gemmascope-res-16k") {
  return absl::StrCat(R"({"modelId":"gemma-2-2b","layer":")", layer, R"(","index":)", index,
                      R"(,"description":")", description,
                      R"(","explanationModelName":"gpt-4o-mini","typeName":"oai_token-act-pair"})",
                      "\n");
}

class FeatureLabelsTest : public ::testing::Test {
 protected:
  absl::StatusOr<FeatureLabels> Read(const std::string& text) {
    scratch_.Put("labels.jsonl", text);
    return ReadFeatureLabels(scratch_ / "labels.jsonl", kSae, {0, 7, 12345, 16383});
  }
  std::string ErrorOf(const std::string& text) {
    const auto labels = Read(text);
    return labels.ok() ? "accepted" : std::string(labels.status().message());
  }
  const ScratchFolder scratch_;
};

TEST_F(FeatureLabelsTest, OfTheWantedFeaturesTheFirstOfEach) {
  const auto labels = Read(Line("\"12345\"", " apologises ") + Line("7", "numbers") + "\n" +
                           Line("\"8\"", "not wanted") + Line("\"7\"", "another model's") +
                           Line("\"0\"", "") + Line("16383", "the last"));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(labels->texts,
              ElementsAre(Pair(7, "numbers"), Pair(12345, "apologises"), Pair(16383, "the last")));
  EXPECT_EQ(labels->lines, 6);
  EXPECT_THAT(labels->warnings, IsEmpty());
}

TEST_F(FeatureLabelsTest, AFolderOfPackedBatches) {
  for (const int batch : {0, 1}) {
    const std::string path = scratch_ / absl::StrCat("batches/batch-", batch, ".jsonl.gz");
    scratch_.Put(absl::StrCat("batches/batch-", batch, ".jsonl.gz"), "");
    gzFile file = gzopen(path.c_str(), "wb");
    gzputs(file, Line(absl::StrCat(batch * 7), absl::StrCat("of batch ", batch)).c_str());
    gzclose(file);
  }
  const auto labels = ReadFeatureLabels(scratch_ / "batches", kSae, {0, 7});
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(labels->texts, ElementsAre(Pair(0, "of batch 0"), Pair(7, "of batch 1")));
}

TEST_F(FeatureLabelsTest, OfAnotherSaeAreAnErrorThatNamesTheLine) {
  EXPECT_THAT(ErrorOf(Line("1", "a") + Line("16384", "b")),
              HasSubstr("labels.jsonl:2: it labels feature 16384, and the SAE has 16384"));
  EXPECT_THAT(ErrorOf(Line("1", "a") + Line("1", "a", "19-gemmascope-res-16k")),
              HasSubstr(":2: these are another SAE's labels: of layer 19, and the SAE reads "
                        "layer 20 (\"layer\": \"19-gemmascope-res-16k\")"));
  EXPECT_THAT(ErrorOf(Line("1", "a", "20-gemmascope-mlp-16k")),
              HasSubstr("of site mlp_out, and the SAE reads resid_post"));
  EXPECT_THAT(ErrorOf(Line("1", "a", "20-gemmascope-res-65k")),
              HasSubstr("of 65k features, and the SAE has 16384"));
  EXPECT_THAT(ErrorOf(Line("1", "a", "20-gemmascope-transcoder-16k")),
              HasSubstr("of site a transcoder's"));
}

TEST_F(FeatureLabelsTest, WhatCannotBeCheckedIsAWarning) {
  const auto labels = Read(Line("1", "a", "20-res-jb"));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(labels->warnings, ElementsAre(HasSubstr("their \"layer\" is \"20-res-jb\", so it was "
                                                      "not checked")));
  const auto none = Read(R"({"index": 7, "description": "x"})");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->warnings, ElementsAre(HasSubstr("their lines have no \"layer\"")));
}

TEST_F(FeatureLabelsTest, LinesOfAnotherFormAreErrors) {
  EXPECT_THAT(ErrorOf("[1]\n"), HasSubstr(":1: it is not a JSON object"));
  EXPECT_THAT(ErrorOf(Line("1", "a") + "{\n"), HasSubstr("labels.jsonl:2: "));
  EXPECT_THAT(ErrorOf("{\"description\": \"x\"}"), HasSubstr(":1: it has no \"index\""));
  for (const char* index : {"\"seven\"", "-1", "1.5", "null"}) {
    EXPECT_THAT(ErrorOf(Line(index, "a")), HasSubstr("not the number of a feature")) << index;
  }
  EXPECT_THAT(ErrorOf(R"({"index": 1, "description": 2})"), HasSubstr("description"));
  EXPECT_THAT(ErrorOf("\n"), HasSubstr("no labels"));
  EXPECT_THAT(ErrorOf(std::string(3 << 20, ' ')), HasSubstr("a line of more than"));
  EXPECT_TRUE(absl::IsNotFound(ReadFeatureLabels("/nowhere", kSae, {}).status()));
}

TEST_F(FeatureLabelsTest, ALongOneIsCut) {
  const auto labels = Read(Line("7", std::string(5000, 'x')));
  ASSERT_TRUE(labels.ok());
  EXPECT_LE(labels->texts.at(7).size(), 310u);
}

TEST(LabelMismatchTest, KnowsTheWordsOfGemmaScope) {
  const struct {
    const char* layer;
    LabelledSae sae;
    bool fits, known;
  } cases[] = {{"0-gemmascope-att-16k", {0, "attn_z", 16384}, true, true},
               {"12-gemmascope-mlp-65k", {12, "mlp_out", 65536}, true, true},
               {"12-gemmascope-res-131k", {12, "resid_post", 131072}, true, true},
               {"12-gemmascope-2-res-262k", {12, "resid_post", 262144}, true, true},
               {"5-gemmascope-res-1m", {5, "resid_post", 1048576}, true, true},
               {"5-gemmascope-res-1m", {5, "resid_post", 2097152}, false, true},
               {"6-res-jb", {6, "resid_post", 24576}, true, false},
               {"mine", {6, "resid_post", 24576}, true, false}};
  for (const auto& each : cases) {
    bool known = false;
    EXPECT_EQ(LabelMismatch(each.layer, each.sae, &known).empty(), each.fits) << each.layer;
    EXPECT_EQ(known, each.known) << each.layer;
  }
}

}  // namespace
}  // namespace fpo::train
