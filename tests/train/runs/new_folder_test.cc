#include "train/runs/new_folder.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

TEST(NewFolderTest, AStartThatFailedLeavesNothing) {
  const ScratchFolder scratch;
  const NewFolder made(scratch / "runs/a/b/");
  scratch.Put("runs/a/b/prepared/train.safetensors", "x");
  made.RemoveIfUnused();
  EXPECT_FALSE(fs::exists(scratch / "runs"));
  EXPECT_TRUE(fs::exists(scratch.path()));
}

TEST(NewFolderTest, WhatWasThereBeforeStays) {
  const ScratchFolder scratch;
  scratch.Put("runs/old", "x");
  const NewFolder made(scratch / "runs");
  made.RemoveIfUnused();
  EXPECT_TRUE(fs::exists(scratch / "runs/old"));
}

TEST(NewFolderTest, AnotherRunInAParentThatWasMadeStays) {
  const ScratchFolder scratch;
  const NewFolder made(scratch / "runs/a");
  scratch.Put("runs/a/x", "x");
  scratch.Put("runs/b/x", "x");
  made.RemoveIfUnused();
  EXPECT_FALSE(fs::exists(scratch / "runs/a"));
  EXPECT_TRUE(fs::exists(scratch / "runs/b/x"));
}

TEST(NewFolderTest, WorkIsKept) {
  for (const char* name : {"job.yaml", "metrics.jsonl", "reference.fpr"}) {
    const ScratchFolder scratch;
    const NewFolder made(scratch / "a");
    scratch.Put(std::string("a/") + name, "x");
    made.RemoveIfUnused();
    EXPECT_TRUE(fs::exists(scratch / (std::string("a/") + name)));
  }
}

TEST(NewFolderTest, EachCommandMakesItsOwn) {
  EXPECT_EQ(FolderMadeBy("run", "runs/a"), "runs/a");
  EXPECT_EQ(FolderMadeBy("evaluate", "a.json"), "a.json.prepared");
  EXPECT_EQ(FolderMadeBy("features", "a/features.json"), "a/features.json.prepared");
  EXPECT_EQ(FolderMadeBy("sae", "saes/params.npz"), "saes");
  EXPECT_EQ(FolderMadeBy("sae", "saes/mine"), "saes/mine");
  EXPECT_EQ(FolderMadeBy("generate", "a.json"), "");
}

}  // namespace
}  // namespace fpo::train
