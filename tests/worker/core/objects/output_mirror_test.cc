#include "worker/core/objects/output_mirror.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class OutputMirrorTest : public ::testing::Test {
 protected:
  OutputMirror Mirror(const std::string& host, uint64_t epoch = 1) {
    return OutputMirror({{"bucket", "runs/a"}, folder_ / host, "j-1", epoch}, &objects_);
  }
  void Put(const std::string& file, const std::string& text) {
    fs::create_directories(fs::path(folder_ / file).parent_path());
    WriteWhole(folder_ / file, text);
  }
  void PutCheckpoint(const std::string& host, int step) {
    const std::string folder = host + "/checkpoints/step-" + std::to_string(step);
    Put(folder + "/model.safetensors", "weights of " + std::to_string(step));
    const nlohmann::json manifest = {
        {"files",
         {{"model.safetensors",
           {{"bytes", 12}, {"sha256", ToHex(Sha256Of("weights of " + std::to_string(step)))}}}}}};
    Put(folder + "/manifest.json", manifest.dump());
  }
  absl::Status Pull(OutputMirror* mirror, int64_t discard = 0) {
    return mirror->Pull(discard, [this](const std::string& text) { notes_ += text + "\n"; }, {});
  }
  bool IsHere(const std::string& file) const { return fs::exists(folder_ / file); }

  fpo::testing::TempFolder folder_;
  fpo::testing::MemoryObjects objects_;
  std::string notes_;
};

TEST_F(OutputMirrorTest, WhatOneHostPushedAnotherGoesOnFrom) {
  OutputMirror first = Mirror("one");
  ASSERT_TRUE(Pull(&first).ok());
  ASSERT_TRUE(first.Claim().ok());
  PutCheckpoint("one", 4);
  Put("one/metrics.jsonl", "1\n");
  Put("one/.lock", "");
  Put("one/model.tmp-a1-e1/half", "");
  Put("one/checkpoints/step-8/model.safetensors", "no manifest yet");
  ASSERT_TRUE(first.Push(false, {}).ok());
  EXPECT_THAT(objects_.changes(), ElementsAre("runs/a/.attempt.json", "runs/a/metrics.jsonl",
                                              "runs/a/checkpoints/step-4/model.safetensors",
                                              "runs/a/checkpoints/step-4/manifest.json"))
      << "the manifest last, and nothing that is under construction";

  OutputMirror second = Mirror("two", 2);
  Put("two/stale", "");
  ASSERT_TRUE(Pull(&second).ok());
  EXPECT_EQ(ReadWhole(folder_ / "two/checkpoints/step-4/model.safetensors"), "weights of 4");
  EXPECT_EQ(ReadWhole(folder_ / "two/metrics.jsonl"), "1\n");
  EXPECT_FALSE(IsHere("two/stale"));
  EXPECT_THAT(notes_, HasSubstr("the checkpoint of step 4 is here"));
  const size_t changes = objects_.changes().size();
  ASSERT_TRUE(second.Push(false, {}).ok());
  EXPECT_EQ(objects_.changes().size(), changes) << "what came from there is not sent back";
}

TEST_F(OutputMirrorTest, AFinishedOutputHasAnIndexThatIsWrittenLast) {
  OutputMirror mirror = Mirror("one");
  ASSERT_TRUE(Pull(&mirror).ok());
  ASSERT_TRUE(mirror.Claim().ok());
  Put("one/run.json", "{}");
  Put("one/model/model.safetensors", "m");
  Put("one/model/manifest.json", "{}");
  ASSERT_TRUE(mirror.Push(true, {}).ok());
  EXPECT_THAT(objects_.changes(),
              ElementsAre("runs/a/.attempt.json", "runs/a/model/model.safetensors",
                          "runs/a/model/manifest.json", "runs/a/run.json", "runs/a/output.json"));
  const auto index = nlohmann::json::parse(objects_.Bytes("runs/a/output.json"));
  EXPECT_EQ(index["files"]["model/model.safetensors"]["sha256"], ToHex(Sha256Of("m")));

  OutputMirror again = Mirror("one", 2);
  ASSERT_TRUE(Pull(&again).ok());
  ASSERT_TRUE(again.Claim().ok());
  EXPECT_THAT(objects_.Keys(), Not(Contains("runs/a/output.json"))) << "it is being written again";
}

TEST_F(OutputMirrorTest, CheckpointsThatRetentionRemovedGoToo) {
  OutputMirror mirror = Mirror("one");
  ASSERT_TRUE(Pull(&mirror).ok());
  PutCheckpoint("one", 4);
  Put("one/metrics.jsonl", "1\n");
  ASSERT_TRUE(mirror.Push(false, {}).ok());
  fs::remove_all(folder_ / "one/checkpoints/step-4");
  fs::remove(folder_ / "one/metrics.jsonl");
  PutCheckpoint("one", 8);
  objects_.Set("runs/a-b/checkpoints/step-4/x", "of another output");
  ASSERT_TRUE(mirror.Push(false, {}).ok());
  const std::vector<std::string> changes = objects_.changes();
  EXPECT_THAT(std::vector<std::string>(changes.end() - 2, changes.end()),
              ElementsAre("-runs/a/checkpoints/step-4/manifest.json",
                          "-runs/a/checkpoints/step-4/model.safetensors"));
  EXPECT_THAT(objects_.Keys(), Contains("runs/a/metrics.jsonl"));
  EXPECT_THAT(objects_.Keys(), Contains("runs/a-b/checkpoints/step-4/x"));
}

TEST_F(OutputMirrorTest, CheckpointsAfterTheWantedStepAndHalfOnesStayBehind) {
  OutputMirror first = Mirror("one");
  ASSERT_TRUE(Pull(&first).ok());
  for (const int step : {4, 8, 12}) PutCheckpoint("one", step);
  ASSERT_TRUE(first.Push(false, {}).ok());
  ASSERT_TRUE(objects_.Delete({"bucket", "runs/a/checkpoints/step-4/model.safetensors"}).ok());
  ASSERT_TRUE(objects_.Delete({"bucket", "runs/a/checkpoints/step-12/manifest.json"}).ok());
  OutputMirror second = Mirror("two");
  ASSERT_TRUE(Pull(&second, 12).ok());
  EXPECT_FALSE(IsHere("two/checkpoints/step-4")) << "its manifest names a file that is not there";
  EXPECT_TRUE(IsHere("two/checkpoints/step-8"));
  EXPECT_FALSE(IsHere("two/checkpoints/step-12/model.safetensors"));
  OutputMirror third = Mirror("three");
  ASSERT_TRUE(Pull(&third, 6).ok());
  EXPECT_FALSE(IsHere("three/checkpoints/step-8"));
  ASSERT_TRUE(third.Push(false, {}).ok());
  EXPECT_THAT(objects_.Keys(), Not(Contains(HasSubstr("step-8")))) << "discarded for good";
}

TEST_F(OutputMirrorTest, ALaterAttemptTakesTheOutputFromAnEarlierOne) {
  OutputMirror early = Mirror("one", 1), late = Mirror("two", 2);
  ASSERT_TRUE(Pull(&early).ok());
  ASSERT_TRUE(early.Claim().ok());
  ASSERT_TRUE(Pull(&late).ok());
  ASSERT_TRUE(late.Claim().ok());
  Put("one/metrics.jsonl", "of the early one");
  const absl::Status status = early.Push(true, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("epoch 2"));
  EXPECT_THAT(objects_.Keys(), Not(Contains("runs/a/metrics.jsonl")));
  EXPECT_TRUE(absl::IsFailedPrecondition(early.Claim()));
  EXPECT_TRUE(late.Push(true, {}).ok());
}

TEST_F(OutputMirrorTest, BytesOtherThanTheObjectStatesAreAnError) {
  objects_.Set("runs/a/metrics.jsonl", "damaged");
  objects_.State("runs/a/metrics.jsonl", Sha256Of("whole"));
  OutputMirror mirror = Mirror("one");
  EXPECT_TRUE(absl::IsDataLoss(Pull(&mirror)));
  EXPECT_FALSE(IsHere("one/metrics.jsonl"));
}

TEST_F(OutputMirrorTest, AReplacedRunIsRemovedThereToo) {
  objects_.Set("runs/a/run.json", "{}");
  objects_.Set("runs/a/model/x", "");
  OutputMirror mirror = Mirror("one");
  ASSERT_TRUE(Pull(&mirror).ok());
  ASSERT_TRUE(mirror.Claim().ok());
  ASSERT_TRUE(mirror.RemoveAll().ok());
  EXPECT_THAT(objects_.Keys(), ElementsAre("runs/a/.attempt.json"));
}

}  // namespace
}  // namespace fpo::worker
