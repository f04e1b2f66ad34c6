#include "common/reference/record_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace fpo {
namespace {

Recipe FileRecipe() {
  Recipe recipe;
  recipe.model_digest = std::string(64, 'a');
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  return recipe;
}

std::string Write(const std::string& name, int count) {
  const std::string path = ::testing::TempDir() + "/" + name;
  auto writer = RecordFileWriter::Create(path, FileRecipe());
  EXPECT_TRUE(writer.ok()) << writer.status();
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE((*writer)->Add(Pack(Sha256Of(std::to_string(i)), {-1.0 * i, 3, {}})).ok());
  }
  EXPECT_TRUE((*writer)->Finish().ok());
  return path;
}

TEST(RecordFile, FindsWhatWasWrittenAndNothingElse) {
  const auto file = RecordFile::Open(Write("records.fpr", 50));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 50);
  EXPECT_EQ((*file)->recipe(), FileRecipe());
  EXPECT_EQ((*file)->Find(Sha256Of("7"))->sum_logp, -7);
  EXPECT_EQ((*file)->At(3)->key, Sha256Of("3"));
  const absl::Status missing = (*file)->Find(Sha256Of("none")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find(ToHex(Sha256Of("none"))), absl::string_view::npos);
  EXPECT_FALSE((*file)->At(50).ok());
}

TEST(RecordFile, AnUnfinishedFileLeavesNothing) {
  const std::string path = ::testing::TempDir() + "/unfinished.fpr";
  {
    auto writer = RecordFileWriter::Create(path, FileRecipe());
    ASSERT_TRUE((*writer)->Add(Pack(Sha256Of("a"), {})).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST(RecordFile, EveryFlippedByteAndEveryCutIsSeen) {
  const std::string path = Write("flipped.fpr", 3);
  std::ifstream in(path, std::ios::binary);
  std::stringstream whole;
  whole << in.rdbuf();
  const std::string bytes = whole.str();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x10;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
    EXPECT_FALSE(RecordFile::Open(path).ok()) << "byte " << i;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes.substr(0, i);
    EXPECT_FALSE(RecordFile::Open(path).ok()) << "cut at " << i;
  }
}

}  // namespace
}  // namespace fpo
