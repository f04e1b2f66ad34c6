#include "worker/core/exported_checkpoints.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::TempFolder;

// An export that waits for the test.
class ExportedCheckpointsTest : public ::testing::Test {
 protected:
  ExportedCheckpointsTest() { fs::create_directories(run_ / "checkpoints/step-4"); }

  absl::Status Make(const std::string& checkpoint, const std::string& folder) {
    ++made_;
    EXPECT_EQ(checkpoint, run_ / "checkpoints/step-4");
    go_.WaitForNotification();
    if (result_.ok()) fs::create_directories(folder);
    return result_;
  }
  ErrorReason Ask(ExportedCheckpoints& exports) {
    return ReasonOf(exports.FolderOf(run_ / "checkpoints/step-4").status());
  }
  // Once it is no longer being made.
  absl::StatusOr<std::string> Answer(ExportedCheckpoints& exports) {
    for (;;) {
      auto folder = exports.FolderOf(run_ / "checkpoints/step-4");
      if (ReasonOf(folder.status()) != ErrorReason::kExporting) return folder;
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

  TempFolder run_;
  absl::Notification go_;
  absl::Status result_;
  std::atomic<int> made_ = 0;
  ExportedCheckpoints exports_{[this](const auto& from, const auto& to) { return Make(from, to); },
                               [this] {
                                 if (!go_.HasBeenNotified()) go_.Notify();
                               }};
};

TEST_F(ExportedCheckpointsTest, IsMadeOnceAndThenThere) {
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting);
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting) << "the second one waits for the first";
  go_.Notify();
  const auto folder = Answer(exports_);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(*folder, run_ / "exports/step-4");
  EXPECT_EQ(made_, 1);
}

TEST_F(ExportedCheckpointsTest, AFailureIsSaidAndTheNextRequestTriesAgain) {
  result_ = absl::FailedPreconditionError("no model folder");
  go_.Notify();
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting);
  EXPECT_EQ(Answer(exports_).status().message(), "no model folder");
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting);
  EXPECT_FALSE(Answer(exports_).ok());
  EXPECT_EQ(made_, 2);
}

TEST_F(ExportedCheckpointsTest, ACheckpointThatIsWrittenAgainIsExportedAgain) {
  go_.Notify();
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting);
  ASSERT_TRUE(Answer(exports_).ok());
  const std::string manifest = run_ / "checkpoints/step-4/manifest.json";
  fpo::testing::WriteWhole(manifest, "{}");
  fs::last_write_time(run_ / "exports/step-4",
                      fs::last_write_time(manifest) - std::chrono::seconds(1));
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting);
  EXPECT_EQ(Answer(exports_).status(), absl::OkStatus());
  EXPECT_EQ(made_, 2);
}

TEST_F(ExportedCheckpointsTest, ACheckpointThatIsGoneIsNamed) {
  fs::remove_all(run_ / "checkpoints/step-4");
  EXPECT_EQ(Ask(exports_), ErrorReason::kArtifactGone);
  EXPECT_EQ(made_, 0);
}

// The agent ends while one is being made: it is stopped, not waited for.
TEST_F(ExportedCheckpointsTest, EndsWithItsOwner) {
  EXPECT_EQ(Ask(exports_), ErrorReason::kExporting);
}

}  // namespace
}  // namespace fpo::worker
