#include "train/formats/durable_file.h"

#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

TEST(DurableFileTest, AppearsOnlyWhenFinished) {
  ScratchFolder folder;
  auto file = DurableFile::Create(folder / "a");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append("one").ok());
  ASSERT_TRUE((*file)->Append(std::string(3 << 20, 'x')).ok());  // larger than the buffer
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  ASSERT_TRUE((*file)->Finish().ok());
  EXPECT_EQ(Slurp(folder / "a"), "one" + std::string(3 << 20, 'x'));
  EXPECT_EQ((*file)->size(), 3 + (3 << 20));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.part"));
}

TEST(DurableFileTest, AnUnfinishedFileLeavesNothingAndKeepsTheOldOne) {
  ScratchFolder folder;
  folder.Put("a", "old");
  {
    auto file = DurableFile::Create(folder / "a");
    ASSERT_TRUE((*file)->Append("new").ok());
  }
  EXPECT_EQ(Slurp(folder / "a"), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.part"));
}

TEST(DurableFileTest, ReadWholeFileHasALimit) {
  ScratchFolder folder;
  const std::string path = folder.Put("a", "12345");
  EXPECT_EQ(*ReadWholeFile(path), "12345");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadWholeFile(path, 4).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadWholeFile(folder / "b").status()));
}

TEST(DurableFileTest, AFolderThatIsNotThere) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::IsNotFound(WriteFileDurably(folder / "no/a", "x")));
}

}  // namespace
}  // namespace fpo::train
