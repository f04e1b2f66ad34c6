#include "train/formats/npz/zip_writer.h"

#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

TEST(ZipWriterTest, MembersComeBack) {
  ScratchFolder folder;
  auto writer = ZipWriter::Create(folder / "a.zip");
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->Add("one", "hello").ok());
  ASSERT_TRUE(writer->Add("none", "").ok());
  ASSERT_TRUE(writer->Finish().ok());
  const auto zip = ZipArchive::Open(folder / "a.zip");
  ASSERT_TRUE(zip.ok()) << zip.status();
  ASSERT_EQ(zip->members().size(), 2u);
  EXPECT_EQ(zip->members()[0].name, "one");
  EXPECT_EQ(*zip->Read(zip->members()[0]), "hello");
  EXPECT_EQ(*zip->Read(zip->members()[1]), "");
}

TEST(ZipWriterTest, ManyMembersNeedZip64) {
  ScratchFolder folder;
  auto writer = ZipWriter::Create(folder / "a.zip");
  constexpr int kCount = 66000;  // more than the 16-bit count of the plain end record
  for (int i = 0; i < kCount; ++i) ASSERT_TRUE(writer->Add(std::to_string(i), "x").ok());
  ASSERT_TRUE(writer->Finish().ok());
  const auto zip = ZipArchive::Open(folder / "a.zip");
  ASSERT_TRUE(zip.ok()) << zip.status();
  ASSERT_EQ(zip->members().size(), static_cast<size_t>(kCount));
  EXPECT_EQ(*zip->Read(zip->members().back()), "x");
}

TEST(ZipWriterTest, UnfinishedArchiveDoesNotAppear) {
  ScratchFolder folder;
  {
    auto writer = ZipWriter::Create(folder / "a.zip");
    ASSERT_TRUE(writer->Add("one", "hello").ok());
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a.zip"));
}

}  // namespace
}  // namespace fpo::train
