#include "common/files/roots.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using fpo::testing::WriteWhole;

class RootsTest : public ::testing::Test {
 protected:
  RootsTest() {
    fs::create_directories(folder_ / "models/gemma/blobs");
    fs::create_directories(folder_ / "secret");
    WriteWhole(folder_ / "models/gemma/blobs/w", "weights");
    WriteWhole(folder_ / "secret/token", "fpo_");
  }
  std::string At(const std::string& name) const { return folder_ / name; }
  fpo::testing::TempFolder folder_;
  const Roots roots_{{folder_ / "models//"}};
};

TEST_F(RootsTest, WhatLiesBelowIsFine) {
  for (const char* path : {"models", "models/", "models/gemma", "models//gemma/./blobs/w"}) {
    EXPECT_TRUE(roots_.Check(At(path)).ok()) << path;
  }
  EXPECT_TRUE(absl::IsNotFound(roots_.Check(At("models/none"))));
  EXPECT_TRUE(roots_.CheckTree(At("models/gemma"), 10).ok());
  EXPECT_TRUE(Roots({"/"}).Check(At("secret/token")).ok());
}

TEST_F(RootsTest, WhatLiesOutsideIsRefusedWhetherItExistsOrNot) {
  for (const char* path : {"secret/token", "secret/none", "models-2", "models/../secret/token",
                           "models/gemma/../gemma", "."}) {
    EXPECT_TRUE(absl::IsPermissionDenied(roots_.Check(At(path)))) << path;
    EXPECT_TRUE(absl::IsPermissionDenied(roots_.CheckNew(At(path)))) << path;
  }
  EXPECT_TRUE(absl::IsPermissionDenied(Roots({}).Check("/etc/passwd")));
}

TEST_F(RootsTest, ALinkMayLeadElsewhereBelowButNotOut) {
  fs::create_symlink("blobs/w", At("models/gemma/model.safetensors"));
  EXPECT_TRUE(roots_.Check(At("models/gemma/model.safetensors")).ok());
  EXPECT_TRUE(roots_.CheckTree(At("models/gemma"), 10).ok());
  for (const std::string& target : {folder_ / "secret/token", std::string("../../secret/token"),
                                    std::string("/proc/self/environ")}) {
    fs::remove(At("models/gemma/merges.txt"));
    fs::create_symlink(target, At("models/gemma/merges.txt"));
    EXPECT_TRUE(absl::IsPermissionDenied(roots_.Check(At("models/gemma/merges.txt")))) << target;
    EXPECT_TRUE(absl::IsPermissionDenied(roots_.CheckTree(At("models/gemma"), 10))) << target;
  }
  fs::remove(At("models/gemma/merges.txt"));
  fs::create_symlink("../../secret", At("models/gemma/more"));
  EXPECT_TRUE(absl::IsPermissionDenied(roots_.Check(At("models/gemma/more/token"))));
}

TEST_F(RootsTest, ATreeHasALimit) {
  for (int i = 0; i < 12; ++i) WriteWhole(At(absl::StrCat("models/gemma/", i)), "");
  EXPECT_TRUE(absl::IsInvalidArgument(roots_.CheckTree(At("models"), 10)));
  EXPECT_TRUE(roots_.CheckTree(At("models/gemma/1"), 10).ok()) << "a file";
}

TEST_F(RootsTest, ANewFolderHasNoLinkInIt) {
  EXPECT_TRUE(roots_.CheckNew(At("models/runs/a/b")).ok());
  EXPECT_TRUE(roots_.CheckNew(At("models/gemma")).ok());
  EXPECT_FALSE(fs::exists(At("models/runs"))) << "nothing is made";
  fs::create_directory_symlink("gemma", At("models/same"));
  EXPECT_TRUE(absl::IsPermissionDenied(roots_.CheckNew(At("models/same/run"))));
  fs::create_directory_symlink(folder_ / "secret", At("models/out"));
  EXPECT_TRUE(absl::IsPermissionDenied(roots_.CheckNew(At("models/out/run"))));
  EXPECT_FALSE(roots_.CheckNew(At("models/gemma/blobs/w/run")).ok()) << "below a file";
}

}  // namespace
}  // namespace fpo
