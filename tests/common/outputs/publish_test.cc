#include "common/outputs/publish.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "common/files/durable_file.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;

class PublishTest : public ::testing::Test {
 protected:
  ~PublishTest() override { ClearPublishGuard(); }
  std::string Build(const std::string& text) {
    const std::string building = BuildingPath(folder_ / "model");
    fs::create_directories(building);
    WriteWhole(building + "/w", text);
    return building;
  }
  void Guard(absl::Status status) {
    SetPublishGuard({folder_.path(), "a2-e5", [status] { return status; }});
  }
  fpo::testing::TempFolder folder_;
};

TEST_F(PublishTest, AFolderTakesThePlaceOfTheOneBefore) {
  Guard(absl::OkStatus());
  EXPECT_EQ(BuildingPath("/x/model"), "/x/model.tmp-a2-e5");
  for (const char* text : {"one", "two", "three"}) {
    ASSERT_TRUE(PublishFolder(Build(text), folder_ / "model").ok());
    EXPECT_EQ(ReadWhole(folder_ / "model/w"), text);
    EXPECT_FALSE(fs::exists(folder_ / "model.tmp-a2-e5"));
  }
}

TEST_F(PublishTest, NothingIsPublishedInAnothersFolder) {
  ASSERT_TRUE(PublishFolder(Build("old"), folder_ / "model").ok());
  Guard(absl::FailedPreconditionError("another's"));
  EXPECT_TRUE(IsGuarded(folder_ / "x/y"));
  EXPECT_FALSE(IsGuarded(folder_.path() + "-x"));
  const std::string building = Build("new");
  EXPECT_FALSE(PublishFolder(building, folder_ / "model").ok());
  EXPECT_EQ(ReadWhole(folder_ / "model/w"), "old");
  EXPECT_FALSE(WriteFileAtomically(folder_ / "run.json", "{}").ok());
  EXPECT_FALSE(WriteFileAtomically(folder_.path() + "/./below/../run.json", "{}").ok());
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_FALSE(absl::StartsWith(entry.path().filename().string(), "run.json")) << entry.path();
  }
  fpo::testing::TempFolder other;
  EXPECT_TRUE(WriteFileAtomically(other / "run.json", "{}").ok()) << "outside the guard";
}

TEST_F(PublishTest, ABuildingThatWasTakenAwayIsNotPublished) {
  ASSERT_TRUE(PublishFolder(Build("old"), folder_ / "model").ok());
  const std::string building = Build("new");
  fs::rename(building, building + ".old-x");
  EXPECT_FALSE(PublishFolder(building, folder_ / "model").ok());
  EXPECT_EQ(ReadWhole(folder_ / "model/w"), "old");
}

}  // namespace
}  // namespace fpo
