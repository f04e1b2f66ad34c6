#include "worker/core/objects/output_pusher.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::WriteWhole;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OutputPusherTest : public ::testing::Test, public RankSink {
 protected:
  OutputPusherTest() {
    options_.backoff = {.first = absl::Milliseconds(1), .most = absl::Milliseconds(1)};
    options_.patience = absl::Milliseconds(20);
    options_.last_push = absl::Milliseconds(20);
  }
  void OnLine(int32_t, LineStream, const std::string& text) override { Say("line " + text); }
  void OnEvent(int32_t, const TrainEvent& event, const std::string&) override {
    Say(event.kind == EventKind::kCheckpoint
            ? "checkpoint " + std::to_string(event.step) + (event.digest.empty() ? "" : " known")
            : "event");
  }
  void Say(const std::string& what) {
    absl::MutexLock lock(&mutex_);
    said_.push_back(what);
  }
  std::vector<std::string> Said() {
    absl::MutexLock lock(&mutex_);
    return said_;
  }
  void Await(const std::string& what) {
    absl::MutexLock lock(&mutex_);
    const auto is_said = [&] { return std::find(said_.begin(), said_.end(), what) != said_.end(); };
    mutex_.Await(absl::Condition(&is_said));
  }
  std::unique_ptr<OutputPusher> Start() {
    EXPECT_TRUE(mirror_.Pull(0, [](const std::string&) {}, {}).ok());
    return std::make_unique<OutputPusher>(options_, &mirror_, this,
                                          [this](const std::string& text) { Say(text); });
  }
  // As the trainer does it.
  void Checkpoint(OutputPusher* pusher, int64_t step) {
    const std::string folder = folder_ / "out/checkpoints/step-" + std::to_string(step);
    fs::create_directories(folder);
    WriteWhole(folder + "/manifest.json", R"({"files": {}})");
    const TrainEvent event = CheckpointEvent(step, folder);
    pusher->OnEvent(0, event, EncodeEvent(event));
  }

  fpo::testing::TempFolder folder_;
  fpo::testing::MemoryObjects objects_;
  OutputMirror mirror_{{{"bucket", "runs/a"}, folder_ / "out", "j-1", 1}, &objects_};
  OutputPusher::Options options_;
  absl::Mutex mutex_;
  std::vector<std::string> said_;
};

TEST_F(OutputPusherTest, ACheckpointIsAnnouncedOnceItIsThere) {
  absl::Notification begun, go_on;
  objects_.on_put = [&](const std::string& key) {
    if (key != "runs/a/checkpoints/step-4/manifest.json") return;
    begun.Notify();
    go_on.WaitForNotification();
  };
  const auto pusher = Start();
  Checkpoint(pusher.get(), 4);
  begun.WaitForNotification();
  pusher->OnEvent(0, StepEvent(5, 8, {}), "");
  pusher->OnLine(0, LineStream::kStdout, "a");
  EXPECT_THAT(Said(), ElementsAre("event", "line a")) << "only the checkpoint waits";
  go_on.Notify();
  Await("checkpoint 4 known");
  EXPECT_TRUE(pusher->Finish(true, {}).ok());
  EXPECT_THAT(objects_.Keys(), Contains("runs/a/output.json"));
}

TEST_F(OutputPusherTest, WithoutItsStoreACheckpointIsNotAnnouncedAndTheAttemptFails) {
  objects_.put_failure = absl::UnavailableError("away");
  const auto pusher = Start();
  Checkpoint(pusher.get(), 4);
  const absl::Status status = pusher->Finish(true, {});
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  for (const std::string& each : Said()) EXPECT_THAT(each, HasSubstr("away"));
}

TEST_F(OutputPusherTest, WhatIsLeftOfAStoppedRunIsSent) {
  const auto pusher = Start();
  Checkpoint(pusher.get(), 4);
  Checkpoint(pusher.get(), 8);
  ASSERT_TRUE(pusher->Finish(false, {}).ok());
  EXPECT_THAT(Said(), ElementsAre("checkpoint 4 known", "checkpoint 8 known"));
  EXPECT_THAT(objects_.Keys(), ::testing::Not(Contains("runs/a/output.json")));
}

TEST_F(OutputPusherTest, AKilledRunSendsNothingMore) {
  objects_.put_failure = absl::UnavailableError("away");
  options_.patience = absl::Hours(1);
  options_.backoff = {.first = absl::Hours(1), .most = absl::Hours(1)};
  const auto pusher = Start();
  Checkpoint(pusher.get(), 4);
  std::stop_source kill;
  kill.request_stop();
  EXPECT_TRUE(absl::IsCancelled(pusher->Finish(false, kill.get_token())));
}

}  // namespace
}  // namespace fpo::worker
