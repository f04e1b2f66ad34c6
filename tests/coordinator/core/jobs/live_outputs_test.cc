#include "coordinator/core/jobs/live_outputs.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string FolderOf(const std::string& output, const std::string& kind = "train") {
  JobConfig config;
  config.kind = kind;
  config.output = output;
  return OutputFolderOf(config);
}

TEST(OutputFolderOf, OneFolderHasOneName) {
  EXPECT_EQ(FolderOf("/runs/a"), "/runs/a");
  EXPECT_EQ(FolderOf("/runs/b/../a/"), "/runs/a");
  EXPECT_EQ(FolderOf("/runs//./a//"), "/runs/a");
  EXPECT_EQ(FolderOf("//runs/a"), "/runs/a");
  EXPECT_EQ(FolderOf("/"), "/");
  EXPECT_EQ(FolderOf("/runs/a", "reference"), "") << "writes records only";
  EXPECT_EQ(FolderOf(""), "");
  EXPECT_EQ(FolderOf("s3://bucket/runs/a"), "s3://bucket/runs/a");
}

TEST(LiveOutputs, AFolderIsHeldWithWhatIsAboveAndBelowIt) {
  LiveOutputs outputs;
  outputs.Note("/runs/a", "j-1", true);
  outputs.Note("/runs/a-b", "j-2", true);
  EXPECT_THAT(outputs.HoldersOf("/runs/a"), ElementsAre("j-1"));
  EXPECT_THAT(outputs.HoldersOf("/runs/a/sae"), ElementsAre("j-1"));
  EXPECT_THAT(outputs.HoldersOf("/runs"), UnorderedElementsAre("j-1", "j-2"));
  EXPECT_THAT(outputs.HoldersOf("/"), UnorderedElementsAre("j-1", "j-2"));
  EXPECT_THAT(outputs.HoldersOf("/runs/b"), IsEmpty());
  EXPECT_THAT(outputs.HoldersOf(""), IsEmpty());
}

TEST(LiveOutputs, AnEndedJobHoldsNothing) {
  LiveOutputs outputs;
  outputs.Note("/runs/a", "j-1", true);
  outputs.Note("/runs/a", "j-2", true);
  outputs.Note("/runs/a", "j-1", false);
  EXPECT_THAT(outputs.HoldersOf("/runs/a"), ElementsAre("j-2"));
  outputs.Note("/runs/a", "j-2", false);
  outputs.Note("/runs/a", "j-2", false);
  EXPECT_THAT(outputs.HoldersOf("/runs/a"), IsEmpty());
}

}  // namespace
}  // namespace fpo::coordinator
