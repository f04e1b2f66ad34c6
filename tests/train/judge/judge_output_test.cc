#include "train/judge/judge_output.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/train/support/scratch_folder.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

TEST(JudgeOutputTest, WritesAListOrLines) {
  const ScratchFolder folder;
  ASSERT_TRUE(MakeFolderOf(folder / "a/b/out.json").ok());
  ASSERT_TRUE(WriteJudgeOut(folder / "a/b/out.json", "{}\n", {"1", "2"}).ok());
  EXPECT_EQ(Slurp(folder / "a/b/out.json"), "[\n1,\n2\n]\n");
  EXPECT_EQ(Slurp(folder / "a/b/out.json.summary.json"), "{}\n");
  ASSERT_TRUE(WriteJudgeOut(folder / "out.jsonl", "{}\n", {"1", "2"}).ok());
  EXPECT_EQ(Slurp(folder / "out.jsonl"), "1\n2\n");
  EXPECT_TRUE(CheckJudgeOut(folder / "out.jsonl", {""}).ok()) << "its summary is beside it";
}

TEST(JudgeOutputTest, ForeignFilesAndInputsAreRefused) {
  const ScratchFolder folder;
  const std::string mine = folder.Put("mine.json", "x");
  EXPECT_EQ(CheckJudgeOut(mine, {}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(CheckJudgeOut(mine, {mine}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ExitCodeOf(MakeFolderOf(mine + "/out.json")), ExitCode::kStorage);
}

}  // namespace
}  // namespace fpo::train
