#include "worker/core/run_checkpoints.h"

#include <filesystem>

#include "common/hash.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

class RunCheckpointsTest : public ::testing::Test {
 protected:
  std::string Make(const std::string& name, const std::string& manifest) {
    const std::string folder = out_ / "checkpoints/" + name;
    fs::create_directories(folder);
    fpo::testing::WriteWhole(folder + "/manifest.json", manifest);
    return folder;
  }

  const std::string good_ =
      R"({"version":1,"step":10,"score":0.5,"files":{"a":{"bytes":3},"b":{"bytes":4}}})";
  fpo::testing::TempFolder out_;
};

TEST_F(RunCheckpointsTest, TheManifestSaysWhatTheCoordinatorKeeps) {
  const std::string folder = Make("step-10", good_);
  const std::optional<TrainEvent> event = DescribeCheckpoint(folder);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, EventKind::kCheckpoint);
  EXPECT_EQ(event->step, 10);
  EXPECT_EQ(event->file, folder);
  EXPECT_EQ(event->digest, ToHex(Sha256Of(good_)));
  EXPECT_EQ(event->metrics.at("bytes"), 7);
  EXPECT_EQ(event->metrics.at("score"), 0.5);
}

TEST_F(RunCheckpointsTest, DamagedAndHalfRemovedOnesAreNone) {
  for (const char* manifest : {"", "{", "[]", "{}", R"({"files":3})", R"({"files":{"a":1}})"}) {
    EXPECT_EQ(DescribeCheckpoint(Make("step-7", manifest)), std::nullopt) << manifest;
  }
  EXPECT_EQ(DescribeCheckpoint(Make("step-7.tmp", good_)), std::nullopt);
  EXPECT_EQ(DescribeCheckpoint(out_ / "checkpoints/step-8"), std::nullopt);
}

TEST_F(RunCheckpointsTest, AreListedByStepAndDiscardedAfterOne) {
  for (const char* name : {"step-100", "step-20", "step-3", "step-20.tmp", "other"}) {
    Make(name, good_);
  }
  std::vector<int64_t> steps;
  for (const TrainEvent& event : ListRunCheckpoints(out_.path())) steps.push_back(event.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{3, 20, 100}));
  ASSERT_TRUE(DiscardCheckpointsAfter(out_.path(), 20).ok());
  EXPECT_FALSE(fs::exists(out_ / "checkpoints/step-100"));
  EXPECT_TRUE(fs::exists(out_ / "checkpoints/step-20"));
  EXPECT_TRUE(ListRunCheckpoints(out_ / "nowhere").empty());
}

TEST_F(RunCheckpointsTest, PinsAreMarkers) {
  const std::string folder = Make("step-3", good_);
  ASSERT_TRUE(PinCheckpoint(folder, true).ok());
  EXPECT_TRUE(fs::exists(folder + "/pinned"));
  ASSERT_TRUE(PinCheckpoint(folder, false).ok());
  EXPECT_FALSE(fs::exists(folder + "/pinned"));
  EXPECT_FALSE(PinCheckpoint(out_.path(), true).ok());
}

TEST_F(RunCheckpointsTest, NothingButACheckpointIsRemoved) {
  const std::string folder = Make("step-3", good_);
  EXPECT_FALSE(RemoveCheckpoint(out_.path()).ok());
  EXPECT_FALSE(RemoveCheckpoint(out_ / "step-3").ok());
  EXPECT_FALSE(RemoveCheckpoint("checkpoints/step-3").ok());
  ASSERT_TRUE(RemoveCheckpoint(folder).ok());
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_TRUE(RemoveCheckpoint(folder).ok()) << "already gone";
}

}  // namespace
}  // namespace fpo::worker
