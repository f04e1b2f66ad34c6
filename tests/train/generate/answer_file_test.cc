#include "train/generate/answer_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/train/support/scratch_folder.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kSettings[] = R"({"model":"m","seed":1})";

class AnswerFileTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<AnswerFile> Open(const std::string& settings = kSettings) {
    auto file = AnswerFile::Open(path_, settings);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  bool IsList() const { return std::string(GetParam()) == "a.json"; }
  // The rows as the tools read them.
  std::vector<std::string> Rows() const {
    std::vector<std::string> rows;
    const std::string text = Slurp(path_);
    if (IsList()) {
      for (const auto& row : nlohmann::json::parse(text)) rows.push_back(row.dump());
      return rows;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) rows.push_back(line);
    return rows;
  }
  ScratchFolder folder_;
  std::string path_ = folder_ / GetParam();
};

TEST_P(AnswerFileTest, IsCompleteAfterEveryRow) {
  {
    const auto file = Open();
    EXPECT_THAT(Rows(), ElementsAre());
    ASSERT_TRUE(file->Append(R"({"a":1})").ok());
    EXPECT_THAT(Rows(), ElementsAre(R"({"a":1})"));
    ASSERT_TRUE(file->Append(R"({"a":2})").ok());
  }
  const auto again = Open();
  EXPECT_THAT(again->rows(), ElementsAre(R"({"a":1})", R"({"a":2})"));
  ASSERT_TRUE(again->Append(R"({"a":3})").ok());
  EXPECT_THAT(Rows(), ElementsAre(R"({"a":1})", R"({"a":2})", R"({"a":3})"));
}

TEST_P(AnswerFileTest, ATornLastRowIsRemoved) {
  {
    const auto file = Open();
    ASSERT_TRUE(file->Append(R"({"a":1})").ok());
    ASSERT_TRUE(file->Append(R"({"a":"two"})").ok());
  }
  const std::string whole = Slurp(path_);
  for (size_t cut = whole.find("two") - 6; cut < whole.find("two") + 4; ++cut) {
    std::filesystem::resize_file(path_, cut);
    const auto file = Open();
    EXPECT_THAT(file->rows(), ElementsAre(R"({"a":1})")) << cut;
    ASSERT_TRUE(file->Append(R"({"a":"two"})").ok());
    EXPECT_EQ(Slurp(path_), whole);
  }
}

TEST_P(AnswerFileTest, OtherSettingsAreRefusedWithWhatDiffers) {
  { ASSERT_TRUE(Open()->Append("{}").ok()); }
  const std::string before = Slurp(path_);
  const auto file = AnswerFile::Open(path_, R"({"model":"m","seed":2})");
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("seed: 1 there, 2 now"));
  EXPECT_EQ(ExitCodeOf(file.status()), ExitCode::kInvalid);
  EXPECT_EQ(Slurp(path_), before);
}

TEST_P(AnswerFileTest, SettingsWithoutAnswersDecideNothing) {
  Open();
  EXPECT_NE(Open(R"({"model":"other"})"), nullptr);
  EXPECT_THAT(Slurp(path_ + ".settings.json"), HasSubstr("other"));
}

TEST_P(AnswerFileTest, FilesOfOthersAreLeftAlone) {
  folder_.Put(GetParam(), "something else\n");
  EXPECT_EQ(AnswerFile::Open(path_, kSettings).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Slurp(path_), "something else\n");
}

TEST_P(AnswerFileTest, ADamagedRowBeforeTheLastIsNamed) {
  {
    const auto file = Open();
    for (const char* row : {R"({"a":1})", R"({"a":2})"}) ASSERT_TRUE(file->Append(row).ok());
  }
  std::string text = Slurp(path_);
  text[text.find('1')] = '{';
  folder_.Put(GetParam(), text);
  EXPECT_EQ(AnswerFile::Open(path_, kSettings).status().code(), absl::StatusCode::kDataLoss);
}

TEST_P(AnswerFileTest, OneProcessAtATime) {
  const auto file = Open();
  EXPECT_THAT(std::string(AnswerFile::Open(path_, kSettings).status().message()),
              HasSubstr("another process"));
}

TEST_P(AnswerFileTest, Reorder) {
  const auto file = Open();
  for (const char* row : {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"})
    ASSERT_TRUE(file->Append(row).ok());
  ASSERT_TRUE(file->Reorder({2, 0, 1}).ok());
  EXPECT_THAT(Rows(), ElementsAre("{\"a\":3}", "{\"a\":1}", "{\"a\":2}"));
}

INSTANTIATE_TEST_SUITE_P(Forms, AnswerFileTest, ::testing::Values("a.json", "a.jsonl"));

}  // namespace
}  // namespace fpo::train
