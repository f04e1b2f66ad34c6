#include "worker/core/artifact.h"

#include <filesystem>

#include "common/error_info.h"
#include "common/outputs/folder_manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using fpo::testing::TempFolder;
using fpo::testing::WriteWhole;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArtifactTest : public ::testing::Test {
 protected:
  ArtifactTest() {
    std::filesystem::create_directories(out_ / "model");
    std::filesystem::create_directories(out_ / "checkpoints/step-4");
    WriteWhole(out_ / "model/config.json", "{}");
    WriteWhole(out_ / "metrics.jsonl", "line\n");
    WriteWhole(out_ / "private.key", "secret");
    const std::string hex = ToHex(Sha256Of("weights"));
    WriteWhole(out_ / "checkpoints/step-4/model.safetensors", "weights");
    WriteWhole(out_ / "checkpoints/step-4/manifest.json",
               R"({"files":{"model.safetensors":{"bytes":7,"sha256":")" + hex + R"("}}})");
  }
  absl::Status Serve(ServeArtifactCommand order) {
    frames_.clear();
    if (!order.kind.has_value()) order.kind = JobKind::kTrain;
    return ServeArtifact(order, [this](ArtifactFrame frame) {
      frames_.push_back(std::move(frame));
      return true;
    });
  }
  std::string Data() const {
    std::string data;
    for (const ArtifactFrame& frame : frames_) data += frame.data;
    return data;
  }

  TempFolder out_;
  std::vector<ArtifactFrame> frames_;
};

TEST_F(ArtifactTest, ATrainingJobGivesItsEvaluations) {
  std::filesystem::create_directories(out_ / "evaluations");
  WriteWhole(out_ / "evaluations/step-2.jsonl", "{}\n");
  ASSERT_TRUE(Serve({.folder = out_.path()}).ok());
  EXPECT_THAT(frames_[0].files, Contains(ArtifactFile{"evaluations/step-2.jsonl", 3, ""}));
  ASSERT_TRUE(Serve({.folder = out_.path(), .file = "evaluations/step-2.jsonl"}).ok());
  EXPECT_EQ(Data(), "{}\n");
  EXPECT_FALSE(Serve({.folder = out_.path(), .file = "evaluations/../private.key"}).ok());
  EXPECT_FALSE(
      Serve({.folder = out_.path(), .file = "evaluations/step-2.jsonl", .kind = JobKind::kEvaluate})
          .ok());
}

TEST_F(ArtifactTest, ListsTheModelAndTheFilesOfARunOnly) {
  ASSERT_TRUE(Serve({.folder = out_.path()}).ok());
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_THAT(frames_[0].files, ElementsAre(ArtifactFile{"model/config.json", 2, ""},
                                            ArtifactFile{"metrics.jsonl", 5, ""}));
  for (const char* file : {"private.key", "checkpoints/step-4/model.safetensors", "model"}) {
    EXPECT_FALSE(Serve({.folder = out_.path(), .file = file}).ok()) << file;
    EXPECT_EQ(Data(), "");
  }
}

TEST_F(ArtifactTest, ACheckpointsListNamesTheDigestsOfItsManifest) {
  ASSERT_TRUE(Serve({.folder = out_ / "checkpoints/step-4", .checkpoint = true}).ok());
  ASSERT_EQ(frames_[0].files.size(), 2u);
  EXPECT_EQ(frames_[0].files[1].sha256, ToHex(Sha256Of("weights")));
}

TEST_F(ArtifactTest, GoesOnAtAnyOffsetAndDigestsTheWhole) {
  std::string text(3 * kArtifactFrameBytes + 17, 'x');
  for (size_t i = 0; i < text.size(); i += 997) text[i] = static_cast<char>(i);
  WriteWhole(out_ / "model/w", text);
  for (const size_t offset :
       {size_t{0}, size_t{1}, kArtifactFrameBytes, 2 * kArtifactFrameBytes + 5, text.size()}) {
    ASSERT_TRUE(
        Serve({.folder = out_.path(), .file = "model/w", .offset = static_cast<int64_t>(offset)})
            .ok());
    EXPECT_EQ(Data(), text.substr(offset));
    EXPECT_EQ(frames_.back().sha256, Sha256Of(text));
    for (const ArtifactFrame& frame : frames_) EXPECT_LE(frame.data.size(), kArtifactFrameBytes);
  }
  EXPECT_TRUE(
      absl::IsOutOfRange(Serve({.folder = out_.path(), .file = "model/w", .offset = 1 << 30})));
}

TEST_F(ArtifactTest, NeverLeavesTheFolder) {
  std::filesystem::create_symlink("/etc/passwd", out_ / "model/link");
  std::filesystem::create_symlink("/etc", out_ / "model/etc");
  std::filesystem::remove(out_ / "metrics.jsonl");
  std::filesystem::create_symlink("/etc/passwd", out_ / "metrics.jsonl");
  for (const char* file : {"model/link", "model/etc/passwd", "model/../../etc/passwd",
                           "/etc/passwd", "metrics.jsonl"}) {
    EXPECT_FALSE(Serve({.folder = out_.path(), .file = file}).ok()) << file;
    EXPECT_EQ(Data(), "") << file;
  }
  ASSERT_TRUE(Serve({.folder = out_.path()}).ok());
  EXPECT_EQ(frames_[0].files.size(), 1u);
}

TEST_F(ArtifactTest, WhatIsGoneIsSaidAndAReaderWhoLeavesEndsIt) {
  const absl::Status gone = Serve({.folder = out_ / "checkpoints/step-9", .checkpoint = true});
  EXPECT_TRUE(absl::IsNotFound(gone));
  EXPECT_THAT(std::string(gone.message()), HasSubstr("does not exist (any more)"));
  int frames = 0;
  const absl::Status left =
      ServeArtifact({.folder = out_.path(), .file = "metrics.jsonl", .kind = JobKind::kTrain},
                    [&](const ArtifactFrame&) { return ++frames > 9; });
  EXPECT_TRUE(absl::IsCancelled(left));
  EXPECT_EQ(frames, 1);
}

TEST_F(ArtifactTest, AJobGivesWhatItsKindLeaves) {
  WriteWhole(out_ / "evaluation.json", "{}");
  ASSERT_TRUE(Serve({.folder = out_.path(), .kind = JobKind::kEvaluate}).ok());
  EXPECT_THAT(frames_[0].files, ElementsAre(ArtifactFile{"evaluation.json", 2, ""}));
  for (const JobKind kind : {JobKind::kEvaluate, JobKind::kReference, JobKind::kSae}) {
    EXPECT_FALSE(Serve({.folder = out_.path(), .file = "model/config.json", .kind = kind}).ok());
    EXPECT_EQ(Data(), "");
  }
  ASSERT_TRUE(Serve({.folder = out_.path(), .kind = JobKind::kReference}).ok());
  EXPECT_TRUE(frames_[0].files.empty());
}

TEST_F(ArtifactTest, AModelIsTheOneThatTheJobReportedOrItIsRefused) {
  ASSERT_TRUE(WriteFolderManifest(out_ / "model").ok());
  const std::string reported = ManifestDigest(out_ / "model").value();
  const ServeArtifactCommand list{
      .folder = out_.path(), .kind = JobKind::kTrain, .model_manifest = reported};
  ServeArtifactCommand file = list;
  file.file = "model/config.json";
  ASSERT_TRUE(Serve(list).ok());
  EXPECT_EQ(frames_[0].files[0].sha256, ToHex(Sha256Of("{}")));
  ASSERT_TRUE(Serve(file).ok());
  std::filesystem::remove(out_ / "model/config.json");
  EXPECT_EQ(ReasonOf(Serve(list)), ErrorReason::kCorrupt) << "a file is missing";
  WriteWhole(out_ / "model/config.json", "{\"of\": \"another run\"}");
  EXPECT_EQ(ReasonOf(Serve(list)), ErrorReason::kCorrupt) << "of another length";
  ASSERT_TRUE(WriteFolderManifest(out_ / "model").ok());
  EXPECT_EQ(ReasonOf(Serve(list)), ErrorReason::kCorrupt) << "a whole model, of another run";
  EXPECT_EQ(ReasonOf(Serve(file)), ErrorReason::kCorrupt);
}

}  // namespace
}  // namespace fpo::worker
