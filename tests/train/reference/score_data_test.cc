#include "train/reference/score_data.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/support/trained_tokenizer.h"
#include "train/events/exit_status.h"
#include "train/loop/init_model.h"

namespace fpo::train {
namespace {

class ScoreDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (TinyTokenizer().empty()) GTEST_SKIP() << "spm_train is not installed";
    std::ofstream(tiny_.Path("config.json")) << TinyTextConfig();
    const InitModelOptions init{tiny_.Path("config.json"), TinyTokenizer(), 1, "float32",
                                tiny_.Path("base")};
    ASSERT_TRUE(InitModel(init).ok());
    options_.model = tiny_.Path("base");
    options_.data.train = {tiny_.Path("ids.jsonl")};
    options_.data.format = "ids";
    options_.out = tiny_.Path("scores.jsonl");
    std::ofstream data(tiny_.Path("ids.jsonl"));
    // The longest row is in the middle: batches are made by length, lines by input order.
    data << R"({"id": "first", "prompt_ids": [2, 20, 21], "chosen_ids": [30, 31, 1], )"
         << R"("rejected_ids": [32, 1]})"
         << "\n"
         << R"({"prompt_ids": [2, 20, 21, 22, 23, 24], "chosen_ids": [30, 31, 32, 33, 34, 1], )"
         << R"("rejected_ids": [35, 1]})"
         << "\n"
         << R"({"id": "last", "prompt_ids": [2, 40], "chosen_ids": [41, 1], )"
         << R"("rejected_ids": [42, 43, 1]})"
         << "\n";
  }
  std::vector<nlohmann::json> Lines() const {
    std::istringstream text(Slurp(options_.out));
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  const TinyRun tiny_;
  ScoreDataOptions options_;
  RecordingSink events_;
};

TEST_F(ScoreDataTest, OneLineAPairInInputOrder) {
  const absl::Status status = ScoreData(options_, events_);
  ASSERT_TRUE(status.ok()) << status;
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].at("index"), 0);
  EXPECT_EQ(lines[0].at("id"), "first");
  EXPECT_EQ(lines[1].at("chosen").at("tokens"), 6);
  EXPECT_EQ(lines[2].at("id"), "last");
  EXPECT_EQ(lines[2].at("rejected").at("tokens"), 3);
  EXPECT_LT(lines[0].at("chosen").at("sum_logp").get<double>(), 0);
  EXPECT_EQ(lines[0].at("chosen").count("features"), 0u);
  EXPECT_EQ(events_.Of(EventKind::kRecords)[0].count, 6);
}

TEST_F(ScoreDataTest, RecordFileHoldsTheSameNumbers) {
  ASSERT_TRUE(ScoreData(options_, events_).ok());
  const double sum = Lines()[0].at("chosen").at("sum_logp").get<double>();
  options_.out = tiny_.Path("scores.fpr");
  ASSERT_TRUE(ScoreData(options_, events_).ok());
  const auto file = RecordFile::Open(options_.out);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 6);
  const auto record = (*file)->Find(RecordKey({2, 20, 21}, {30, 31, 1}));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->sum_logp, sum);
}

TEST_F(ScoreDataTest, BadInputsLeaveNothing) {
  options_.out = tiny_.Path("scores.txt");
  EXPECT_EQ(ExitCodeOf(ScoreData(options_, events_)), ExitCode::kUsage);
  options_.out = tiny_.Path("scores.jsonl");
  options_.data.train = {tiny_.Path("missing.jsonl")};
  EXPECT_EQ(ExitCodeOf(ScoreData(options_, events_)), ExitCode::kInvalid);
  EXPECT_FALSE(std::filesystem::exists(options_.out));
}

}  // namespace
}  // namespace fpo::train
