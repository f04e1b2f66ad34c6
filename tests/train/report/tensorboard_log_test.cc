#include "train/report/tensorboard_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "tests/support/temp_folder.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::fpo::testing::ReadWhole;
using ::fpo::testing::TempFolder;

std::string Hex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

const absl::Time kTime = absl::FromUnixMillis(1'700'000'000'250);

// What TensorBoard 2.21's own RecordWriter wrote of the same events.
TEST(TensorBoardLog, RecordsAreTensorBoardsOwn) {
  EXPECT_EQ(Hex(TensorBoardRecord(VersionEvent(kTime))),
            "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9");
  EXPECT_EQ(Hex(TensorBoardRecord(SessionEvent(kTime, 300))),
            "100000000000000095fbfe180900001040fc54d94110ac023a0208016b3b88f1");
  EXPECT_EQ(
      Hex(TensorBoardRecord(
          ScalarsEvent(kTime, 300, {{"eval_rewards/margins", 0.1}, {"loss", -0.69314718}}))),
      "3e00000000000000d9d240e70900001040fc54d94110ac022a300a1b0a146576616c2f726577617264732f6d61"
      "7267696e7315cdcccc3d0a110a0a747261696e2f6c6f737315187231bf3a31d024");
}

std::vector<std::string> Files(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path());
  return names;
}

TEST(TensorBoardLog, AFileBeginsWithTheStepThatItReplaces) {
  const TempFolder folder;
  {
    const auto log = TensorBoardLog::Open(folder / "out/tensorboard", 7);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->Append(7, {{"loss", 0.5}}).ok());
  }
  const auto files = Files(folder / "out/tensorboard");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_THAT(files[0], ::testing::HasSubstr("/events.out.tfevents."));
  const std::string bytes = ReadWhole(files[0]);
  const size_t version = TensorBoardRecord(VersionEvent(kTime)).size();
  const size_t session = TensorBoardRecord(SessionEvent(kTime, 7)).size();
  const size_t scalars = TensorBoardRecord(ScalarsEvent(kTime, 7, {{"loss", 0.5}})).size();
  EXPECT_EQ(bytes.size(), version + session + scalars);
}

TEST(TensorBoardLog, AFolderThatCannotBeMadeIsNamed) {
  const TempFolder folder;
  fpo::testing::WriteWhole(folder / "file", "");
  const auto log = TensorBoardLog::Open(folder / "file/tensorboard", 0);
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(std::string(log.status().message()), ::testing::HasSubstr("file/tensorboard"));
}

}  // namespace
}  // namespace fpo::train
