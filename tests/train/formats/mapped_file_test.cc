#include "train/formats/mapped_file.h"

#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

TEST(MappedFileTest, ShowsTheFileAndOutlivesItsName) {
  ScratchFolder folder;
  const std::string path = folder.Put("a", "hello");
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  std::filesystem::remove(path);
  EXPECT_EQ((*file)->bytes(), "hello");
}

TEST(MappedFileTest, EmptyMissingAndFolder) {
  ScratchFolder folder;
  EXPECT_TRUE((*MappedFile::Open(folder.Put("empty", "")))->bytes().empty());
  const auto missing = MappedFile::Open(folder / "missing");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_NE(missing.status().message().find("missing"), absl::string_view::npos);
  EXPECT_TRUE(absl::IsInvalidArgument(MappedFile::Open(folder.path()).status()));
}

TEST(MappedFileTest, AFileThatIsWrittenWhileItIsInUseIsNoticed) {
  ScratchFolder folder;
  const std::string path = folder.Put("a", "hello");
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->CheckUnchanged().ok());
  folder.Put("a", "hello, again");
  const absl::Status changed = (*file)->CheckUnchanged();
  EXPECT_TRUE(absl::IsInvalidArgument(changed)) << changed;
  EXPECT_NE(changed.message().find("was changed while it was in use"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
