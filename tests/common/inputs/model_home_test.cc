#include "common/inputs/model_home.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using train::ScratchFolder;

class ModelHomeTest : public ::testing::Test {
 protected:
  // RUN/checkpoints/step-2 of a run that started from `model`.
  std::string PutRun(const std::string& run, const std::string& state,
                     const std::string& record) const {
    const std::string step = run + "/checkpoints/step-2";
    folder_.Put(step + "/manifest.json", "{}");
    folder_.Put(step + "/model.safetensors", "x");
    folder_.Put(step + "/state.json", state);
    if (!record.empty()) folder_.Put(run + "/run.json", record);
    return folder_ / step;
  }
  const ScratchFolder folder_;
};

TEST_F(ModelHomeTest, AModelFolderIsItsOwn) {
  folder_.Put("m/config.json", "{}");
  EXPECT_EQ(*ModelHome(folder_ / "m"), folder_ / "m");
  EXPECT_EQ(*ModelHome(folder_ / "nowhere"), folder_ / "nowhere");
  EXPECT_FALSE(IsCheckpointFolder(folder_ / "m"));
}

TEST_F(ModelHomeTest, ACheckpointUsesTheModelOfItsRun) {
  folder_.Put("m/config.json", "{}");
  const std::string model = absl::StrCat("{\"model\": {\"path\": \"", folder_ / "m", "\"}}");
  const std::string by_record = PutRun("a", R"({"model_digest": "d1"})", model);
  EXPECT_TRUE(IsCheckpointFolder(by_record));
  EXPECT_EQ(*ModelHome(by_record), folder_ / "m");
  EXPECT_EQ(*ModelHome(by_record + "/"), folder_ / "m");
  EXPECT_EQ(StartDigestOf(by_record), "d1");
  const std::string by_state =
      PutRun("b", absl::StrCat("{\"model_path\": \"", folder_ / "m", "\"}"), "");
  EXPECT_EQ(*ModelHome(by_state), folder_ / "m");
  // A run that started from a checkpoint of another.
  const std::string second =
      PutRun("c", "{}", absl::StrCat("{\"model\": {\"path\": \"", by_record, "\"}}"));
  EXPECT_EQ(*ModelHome(second), folder_ / "m");
}

TEST_F(ModelHomeTest, SaysWhatToDoWhenThatModelIsGone) {
  const std::string step = PutRun("a", "{}", R"({"model": {"path": "/gone/gemma"}})");
  const auto home = ModelHome(step);
  EXPECT_TRUE(absl::IsNotFound(home.status()));
  EXPECT_THAT(std::string(home.status().message()), HasSubstr("/gone/gemma, which is not here"));
  EXPECT_THAT(std::string(home.status().message()), HasSubstr("copy config.json"));
  folder_.Put("a/model/config.json", "{}");  // the run's result
  EXPECT_EQ(*ModelHome(step), folder_ / "a/model");
  folder_.Put("a/checkpoints/step-2/config.json", "{}");
  EXPECT_EQ(*ModelHome(step), step);
  const auto unknown = ModelHome(PutRun("b", "{}", ""));
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("neither state.json"));
}

TEST_F(ModelHomeTest, ACircleOfRunsEnds) {
  const std::string first =
      PutRun("a", absl::StrCat("{\"model_path\": \"", folder_ / "b/checkpoints/step-2", "\"}"), "");
  PutRun("b", absl::StrCat("{\"model_path\": \"", first, "\"}"), "");
  EXPECT_TRUE(absl::IsInvalidArgument(ModelHome(first).status()));
}

}  // namespace
}  // namespace fpo
