#include "train/chat/turn_record.h"

#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

TEST(TurnRecordTest, ComesBackAsItWas) {
  const ScratchFolder folder;
  const TurnRecord record{"halo", "{{ a }}\n\"", {107, 1}};
  ASSERT_TRUE(WriteTurnRecord(record, folder.path()).ok());
  const auto read = ReadTurnRecord(folder.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, record);
}

TEST(TurnRecordTest, AFolderWithoutOneIsKnownFromADamagedOne) {
  const ScratchFolder folder;
  EXPECT_EQ(ReadTurnRecord(folder.path()).value(), std::nullopt);
  for (const char* damaged :
       {"", "[]", R"({"turns":"gemma"})", R"({"turns":1,"template":"","ends":[]})",
        R"({"turns":"","template":"","ends":["x"]})"}) {
    folder.Put("chat.json", damaged);
    EXPECT_TRUE(absl::IsDataLoss(ReadTurnRecord(folder.path()).status())) << damaged;
  }
}

}  // namespace
}  // namespace fpo::train
