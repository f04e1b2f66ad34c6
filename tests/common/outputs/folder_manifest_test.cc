#include "common/outputs/folder_manifest.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using fpo::testing::WriteWhole;

TEST(FolderManifest, NamesEveryFileWithItsDigest) {
  fpo::testing::TempFolder folder;
  std::filesystem::create_directories(folder / "below");
  WriteWhole(folder / "w", "weights");
  WriteWhole(folder / "below/x", "");
  ASSERT_TRUE(WriteFolderManifest(folder.path()).ok());
  const FolderManifest manifest = ReadFolderManifest(folder.path()).value();
  ASSERT_EQ(manifest.size(), 2u);
  EXPECT_EQ(manifest.at("w").bytes, 7);
  EXPECT_EQ(manifest.at("w").sha256, Sha256Of("weights"));
  EXPECT_EQ(manifest.at("below/x").bytes, 0);

  const std::string digest = ManifestDigest(folder.path()).value();
  ASSERT_TRUE(WriteFolderManifest(folder.path()).ok());
  EXPECT_EQ(ManifestDigest(folder.path()).value(), digest) << "does not name itself";
  WriteWhole(folder / "w", "weighty");
  ASSERT_TRUE(WriteFolderManifest(folder.path()).ok());
  EXPECT_NE(ManifestDigest(folder.path()).value(), digest);
}

TEST(FolderManifest, OneOfAnotherFormIsRefused) {
  fpo::testing::TempFolder folder;
  EXPECT_TRUE(absl::IsNotFound(ReadFolderManifest(folder.path()).status()));
  for (const char* text : {"", "[]", "{}", R"({"files": []})", R"({"files": {"w": {"bytes": 1}}})",
                           R"({"files": {"w": {"bytes": 1, "sha256": "00"}}})",
                           R"({"files": {"../w": {"bytes": 1, "sha256": "00"}}})"}) {
    WriteWhole(folder / kManifestName, text);
    EXPECT_TRUE(absl::IsDataLoss(ReadFolderManifest(folder.path()).status())) << text;
  }
}

}  // namespace
}  // namespace fpo
