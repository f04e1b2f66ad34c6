#include "common/files/open_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using fpo::testing::ReadWhole;
using fpo::testing::TempFolder;
using fpo::testing::WriteWhole;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OpenFolderTest : public ::testing::Test {
 protected:
  OpenFolderTest() {
    std::filesystem::create_directories(root_ / "in/model");
    WriteWhole(root_ / "outside", "secret");
    WriteWhole(root_ / "in/a", "12345");
    WriteWhole(root_ / "in/model/b", "1");
    std::filesystem::create_symlink(root_ / "outside", root_ / "in/link");
    std::filesystem::create_symlink(root_.path(), root_ / "in/up");
    mkfifo((root_ / "in/pipe").c_str(), 0600);
  }
  OpenFolder Folder() { return *OpenFolder::Open(root_ / "in"); }

  TempFolder root_;
};

TEST(RelativeName, TakesWhatLiesBelowAndNothingElse) {
  for (const char* good : {"a", "model/config.json", "..a/b..", ".hidden"}) {
    EXPECT_TRUE(CheckRelativeName(good).ok()) << good;
  }
  for (const char* bad : {"", "/a", "..", "a/../b", "a/..", "./a", "a//b", "a/", "a\nb"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckRelativeName(bad))) << bad;
  }
  EXPECT_FALSE(CheckRelativeName(std::string(1025, 'x')).ok());
  EXPECT_FALSE(CheckRelativeName(absl::string_view("a\0b", 3)).ok());
}

TEST_F(OpenFolderTest, ListsRegularFilesBelowAndNoLinks) {
  using Entry = OpenFolder::Entry;
  EXPECT_THAT(*Folder().List("", 10), ElementsAre(Entry{"a", 5}, Entry{"model/b", 1}));
  EXPECT_THAT(*Folder().List("model", 10), ElementsAre(Entry{"model/b", 1}));
  EXPECT_TRUE(Folder().List("absent", 10)->empty());
  EXPECT_TRUE(absl::IsResourceExhausted(Folder().List("", 1).status()));
  EXPECT_FALSE(Folder().List("up", 10).ok()) << "a link to a folder is not followed";
}

TEST_F(OpenFolderTest, LinksPipesAndDotsNeverLeadOutside) {
  const OpenFolder folder = Folder();
  EXPECT_THAT(std::string(folder.OpenToRead("link").status().message()),
              HasSubstr("symbolic link, which is not followed"));
  for (const char* name : {"up/outside", "../outside", "pipe", "model", "absent"}) {
    EXPECT_FALSE(folder.OpenToRead(name).ok()) << name;
    if (std::string(name) != "absent") {
      EXPECT_FALSE(folder.OpenToWrite(name).ok()) << name;
    }
  }
  EXPECT_FALSE(folder.OpenToWrite("link").ok());
  EXPECT_FALSE(folder.OpenToWrite("up/new").ok());
  EXPECT_EQ(ReadWhole(root_ / "outside"), "secret");
  EXPECT_FALSE(std::filesystem::exists(root_ / "new"));
}

TEST_F(OpenFolderTest, WritesMakeFoldersAndRenamesReplace) {
  const OpenFolder folder = *OpenFolder::Make(root_ / "x/y");
  {
    const FileDescriptor file = *folder.OpenToWrite("m/n/f.part");
    ASSERT_EQ(write(file.get(), "new", 3), 3);
  }
  WriteWhole(root_ / "x/y/m/n/f", "old");
  EXPECT_TRUE(folder.Rename("m/n/f.part", "m/n/f").ok());
  EXPECT_EQ(ReadWhole(root_ / "x/y/m/n/f"), "new");
  EXPECT_EQ(*folder.SizeOf("m/n/f"), 3);
  EXPECT_TRUE(absl::IsNotFound(folder.SizeOf("m/n/f.part").status()));
  EXPECT_FALSE(folder.Rename("m/n/f", "../f").ok());
}

}  // namespace
}  // namespace fpo
