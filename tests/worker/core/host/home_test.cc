#include "worker/core/host/home.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

TEST(HomeTest, StaysTheSameInOneFolderAndDiffersInACopy) {
  fpo::testing::TempFolder folder;
  const std::string work = folder / "work", copy = folder / "copy";
  std::filesystem::create_directories(work);
  const Home home = OpenHome(work).value();
  EXPECT_EQ(home.id.size(), 64u);
  EXPECT_EQ(OpenHome(work)->id, home.id);
  EXPECT_EQ(OpenHome(work)->boot_id, home.boot_id);
  std::filesystem::copy(work, copy, std::filesystem::copy_options::recursive);
  EXPECT_NE(OpenHome(copy)->id, home.id);
  std::filesystem::rename(work, folder / "moved");
  EXPECT_EQ(OpenHome(folder / "moved")->id, home.id);
}

TEST(HomeTest, AFolderThatIsNotThereIsAnError) { EXPECT_FALSE(OpenHome("/no/such/folder").ok()); }

}  // namespace
}  // namespace fpo::worker
