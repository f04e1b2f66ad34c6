#include "ctl/jobs/paired_evaluation.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string PairLineText(int pair, double margin, double loss) {
  return absl::StrCat("{\"index\":", pair, ",\"row\":", pair, ",\"pair\":\"p", pair,
                      "\",\"loss\":", loss, ",\"rewards/margins\":", margin, "}\n");
}

TEST(PairedEvaluationTest, LinesAreReadByPairAndAccuracyIsOfMargins) {
  const auto read = ParseEvaluationByPair(absl::StrCat(
      PairLineText(3, -0.5, 0.9), PairLineText(1, 0, 0.7), PairLineText(2, 0.25, 0.6)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->pairs, ElementsAre("p1", "p2", "p3"));
  EXPECT_THAT(read->values.at("rewards/margins"), ElementsAre(0, 0.25, -0.5));
  EXPECT_THAT(read->values.at("accuracy"), ElementsAre(0, 1, 0)) << "a tie is not won";
  EXPECT_FALSE(read->values.contains("row"));
}

TEST(PairedEvaluationTest, AValueThatOnePairLacksIsNoMetric) {
  const auto read = ParseEvaluationByPair(
      "{\"pair\":\"a\",\"loss\":null,\"tokens/chosen\":3}\n{\"pair\":\"b\",\"loss\":1,"
      "\"tokens/chosen\":4}\n");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->values.contains("loss"));
  EXPECT_FALSE(read->values.contains("accuracy"));
  EXPECT_THAT(read->values.at("tokens/chosen"), ElementsAre(3, 4));
}

TEST(PairedEvaluationTest, BrokenAndOlderLinesAreNamed) {
  EXPECT_THAT(std::string(ParseEvaluationByPair("{\"pair\":\"a\"}\n{\"pa").status().message()),
              HasSubstr("line 2: "));
  EXPECT_THAT(std::string(ParseEvaluationByPair("{\"index\":0,\"row\":0}\n").status().message()),
              HasSubstr("line 1: it does not say which pair it is of"));
}

// With d of n pairs won more and none less, a round's difference is Binomial(n, d / n) / n.
TEST(PairedEvaluationTest, TheIntervalIsThatOfTheDifferences) {
  std::string first, second;
  for (int i = 0; i < 400; ++i) {
    absl::StrAppend(&first, PairLineText(i, i % 2 == 0 ? 1 : -1, 0.5));
    absl::StrAppend(&second, PairLineText(i, i % 2 == 0 || i % 10 == 1 ? 1 : -1, 0.5));
  }
  const auto result =
      PairEvaluations(*ParseEvaluationByPair(first), *ParseEvaluationByPair(second));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->pairs, 400);
  const MetricDifference& accuracy = result->metrics.at(0);
  EXPECT_EQ(accuracy.metric, "accuracy");
  EXPECT_DOUBLE_EQ(accuracy.baseline, 0.5);
  EXPECT_NEAR(accuracy.difference(), 0.1, 1e-12);
  const double half = 1.96 * std::sqrt(0.1 * 0.9 / 400);
  EXPECT_NEAR(accuracy.interval.low, 0.1 - half, 0.006);
  EXPECT_NEAR(accuracy.interval.high, 0.1 + half, 0.006);
  EXPECT_TRUE(accuracy.ExcludesZero());
  const MetricDifference& loss = result->metrics.at(2);
  EXPECT_EQ(loss.interval.low, 0);
  EXPECT_FALSE(loss.ExcludesZero());
}

TEST(PairedEvaluationTest, OtherDataAreNotPaired) {
  const auto a = ParseEvaluationByPair(PairLineText(1, 1, 1) + PairLineText(2, 1, 1));
  const auto b = ParseEvaluationByPair(PairLineText(2, 1, 1) + PairLineText(3, 1, 1));
  const absl::Status status = PairEvaluations(*a, *b).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 pairs in common, of 2 and 2"));
}

class ComparePairedTest : public CommandRun {
 protected:
  ComparePairedTest() {
    for (const char* id : {"j-1", "j-2", "j-3"}) {
      pb::Job job = SampleMessage(id, pb::JOB_STATE_SUCCEEDED);
      job.set_name(absl::StrCat("run", id));
      coordinator_.AddJob(job);
      std::string text;
      for (int i = 0; i < 50; ++i) {
        const double margin = id == std::string("j-1") ? 0.1 : 0.3 + 0.001 * i;
        absl::StrAppend(&text, PairLineText(id == std::string("j-3") ? i + 1 : i, margin, 0.5));
      }
      files_[id] = {{"evaluations/step-2.jsonl", "not read"}, {"evaluations/step-10.jsonl", text}};
    }
    coordinator_.SetArtifact([this](const pb::ReadArtifactRequest& request, auto* writer) {
      pb::ReadArtifactResponse answer;
      const auto& files = files_.at(request.job_id());
      if (request.file().empty()) {
        for (const auto& [name, text] : files) {
          pb::ArtifactFile* file = answer.add_files();
          file->set_name(name);
          file->set_bytes(static_cast<int64_t>(text.size()));
        }
        writer->Write(answer);
        return absl::OkStatus();
      }
      const std::string& text = files.at(request.file());
      answer.set_data(text.substr(static_cast<size_t>(request.offset())));
      writer->Write(answer);
      answer.Clear();
      answer.set_sha256(ToBytes(Sha256Of(text)));
      writer->Write(answer);
      return absl::OkStatus();
    });
  }

  std::map<std::string, std::map<std::string, std::string>> files_;
};

TEST_F(ComparePairedTest, TextSaysWhatDiffersAndWhyOneIsNotPaired) {
  const Result result = Run({"compare", "j-1", "j-2", "j-3"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Difference to runj-1 on the same pairs, with its 95 %"));
  EXPECT_THAT(result.out, HasSubstr("+0 [+0, +0]  +0.2245 [+0.22"));
  EXPECT_THAT(result.err, HasSubstr("note: no intervals for runj-3: their evaluation data differ: "
                                    "49 pairs in common, of 50 and 50"));
}

TEST_F(ComparePairedTest, JsonHasALineForEachFurtherJob) {
  const Result result = Run({"compare", "j-1", "j-2", "j-3", "--json"});
  EXPECT_EQ(result.code, 0) << result.err;
  std::vector<std::string> lines = absl::StrSplit(result.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 5u);
  const auto paired = nlohmann::json::parse(lines[3]);
  EXPECT_EQ(paired["job_id"], "j-2");
  EXPECT_EQ(paired["baseline"], "j-1");
  EXPECT_EQ(paired["pairs"], 50);
  EXPECT_EQ(paired["level"], 0.95);
  EXPECT_NEAR(paired["differences"]["rewards/margins"]["difference"], 0.2245, 1e-9);
  EXPECT_THAT(std::string(nlohmann::json::parse(lines[4])["unpaired"]), HasSubstr("data differ"));
}

TEST_F(ComparePairedTest, QuietFetchesNothing) {
  EXPECT_EQ(Run({"compare", "j-1", "j-2", "-q"}).out, "j-1\nj-2\n");
}

TEST_F(ComparePairedTest, AJobWithoutEvaluationIsANote) {
  files_["j-2"] = {{"run.json", "{}"}};
  const Result result = Run({"compare", "j-1", "j-2"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("job j-2 has no evaluation pair by pair"));
  EXPECT_THAT(result.out, Not(HasSubstr("Difference")));
}

}  // namespace
}  // namespace fpo::ctl
