// scripts/reproduce.sh: its short form twice with the real services and the real trainer, and what
// the form for Gemma-2-2B says before it starts anything.

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/process.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ReproduceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/fpo-reproduce-XXXXXX";
    folder_ = mkdtemp(folder);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!HasFailure()) fs::remove_all(folder_, ignored);
  }
  Outcome Reproduce(const std::string& arguments) const {
    return RunProgram({"/bin/bash", "-c",
                       absl::StrCat("exec ", Environment("FPO_SOURCE_DIR"),
                                    "/scripts/reproduce.sh --no-build ", arguments)},
                      {}, absl::Minutes(5));
  }
  void Touch(const std::string& file) const {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << "{}";
  }
  // Everything that the form for 2B reads, as empty files.
  void MakeInputs() const {
    const std::string source = Environment("FPO_SOURCE_DIR") + "/examples/paper/2b/";
    const std::string files =
        ReadFile(source + "train.yaml") + ReadFile(source + "table4-sites.yaml");
    static const std::regex kSae("gemma-scope-[a-z0-9_/-]*/params.npz");
    for (std::sregex_iterator it(files.begin(), files.end(), kSae), end; it != end; ++it) {
      Touch(absl::StrCat("saes/", it->str()));
    }
    for (const char* split :
         {"ultrachat_200k/data/train_sft", "ultrachat_200k/data/test_sft",
          "ultrafeedback_binarized/data/train_prefs", "ultrafeedback_binarized/data/test_prefs"}) {
      Touch(absl::StrCat("data/", split, "-00000-of-00001.parquet"));
    }
    for (const char* file : {"data/alpaca_eval.json", "data/arena_hard/question.jsonl",
                             "model/config.json", "judge/config.json"}) {
      Touch(file);
    }
  }
  std::string OfPaper() const {
    const std::string in = folder_.string();
    return absl::StrCat("--2b --model ", in, "/model --sae-root ", in, "/saes --data ", in,
                        "/data --judge ", in, "/judge --out ", in, "/out ");
  }

  fs::path folder_;
};

// The number in front of `words`, or -1.
int Count(const std::string& text, const std::string& pattern) {
  std::smatch found;
  return std::regex_search(text, found, std::regex(pattern)) ? std::stoi(found[1]) : -1;
}

std::string Table(const std::string& text, const std::string& title) {
  const size_t begin = text.find("## " + title);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find("\n## ", begin) - begin);
}

TEST_F(ReproduceTest, ASecondRunTrainsAnewAndAsksNeitherReferenceNorJudge) {
  const std::string words = absl::StrCat("--tiny --quick --out ", folder_.string(), "/out");
  const Outcome first = Reproduce(words);
  ASSERT_EQ(first.code, 0) << first.out << first.err;
  const std::string table = Table(first.out, "Table 3");
  EXPECT_THAT(table, AllOf(HasSubstr("| DPO "), HasSubstr("| FPO "), HasSubstr("64.1")));
  EXPECT_THAT(first.out, HasSubstr("not made: no job paper-layer-0-residual has SUCCEEDED"));
  EXPECT_THAT(first.out, HasSubstr("cannot judge"));
  EXPECT_GT(Count(first.out, "reference: ([0-9]+) forward passes"), 100);
  EXPECT_GT(Count(first.out, "judge: ([0-9]+) calls for 12 verdicts"), 0)
      << "equal answers share one";

  const Outcome second = Reproduce(words);
  ASSERT_EQ(second.code, 0) << second.out << second.err;
  EXPECT_THAT(second.out, HasSubstr("run-2/paper.md"));
  EXPECT_EQ(Count(second.out, "reference: ([0-9]+) forward passes"), 0);
  EXPECT_EQ(Count(second.out, "judge: ([0-9]+) calls for 12 verdicts"), 0);
  EXPECT_EQ(Table(second.out, "Table 3"), table) << "the same training gives the same numbers";
  EXPECT_TRUE(ProcessesWith(folder_.string()).empty());
}

TEST_F(ReproduceTest, TheFormOf2bListsItsJobsAndStartsNothing) {
  MakeInputs();
  const Outcome listed = Reproduce(OfPaper() + "--dry-run");
  EXPECT_EQ(listed.code, 0) << listed.err;
  for (const char* job :
       {"SFT", "paper-dpo", "paper-tdpo1", "paper-tdpo2", "paper-simpo", "paper-fpo",
        "paper-reference", "paper-layer-7-mlp", "paper-layer-19-residual", "paper-alpha-2-0-stop",
        "paper-dpo-online", "paper-kl-fpo", "alpaca-sft", "arena-simpo",
        "sampled-fpo-temperature-1-0", "judged-alpaca-dpo", "judged-0-2-simpo"}) {
    EXPECT_THAT(listed.out, HasSubstr(job));
  }
  EXPECT_THAT(listed.out, Not(HasSubstr("missing")));
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(ReproduceTest, MissingInputsOf2bAreNamedWithTheWayToThem) {
  MakeInputs();
  fs::remove_all(folder_ / "saes/gemma-scope-2b-pt-mlp/layer_13");
  fs::remove(folder_ / "data/ultrafeedback_binarized/data/test_prefs-00000-of-00001.parquet");
  const Outcome outcome = Reproduce(OfPaper());
  EXPECT_EQ(outcome.code, 3) << outcome.out;
  EXPECT_THAT(outcome.err, HasSubstr("layer_13/width_16k/average_l0_47/params.npz\n    hf download "
                                     "google/gemma-scope-2b-pt-mlp layer_13/"));
  EXPECT_THAT(outcome.err, HasSubstr("test_prefs-*.parquet\n    hf download HuggingFaceH4/"));
  EXPECT_THAT(outcome.err, HasSubstr("2 inputs are missing; nothing was started"));
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  EXPECT_EQ(Reproduce("--2b --quick").code, 2);
  EXPECT_EQ(Reproduce("--tiny --model /m").code, 2);
}

}  // namespace
}  // namespace fpo::testing
