#include "common/files/private_folder.h"

#include <sys/stat.h>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

TEST(PrivateFolder, NoOtherUserCanEnterIt) {
  fpo::testing::TempFolder parent;
  const std::string folder = parent / "a/b";
  ASSERT_TRUE(MakePrivateFolder(folder).ok());
  EXPECT_EQ(ModeOf(folder), 0700u);
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  ASSERT_TRUE(MakePrivateFolder(folder).ok()) << "one made by an earlier version";
  EXPECT_EQ(ModeOf(folder), 0700u);
  EXPECT_FALSE(MakePrivateFolder("/proc/self/none").ok());
}

}  // namespace
}  // namespace fpo
