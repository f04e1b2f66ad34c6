#include "worker/core/host/known_store.h"

#include <filesystem>

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

TEST(KnownStore, IsKeptInTheWorkDir) {
  testing::TempFolder folder;
  {
    const auto store = KnownStore::Open(folder.path()).value();
    EXPECT_EQ(store->mark(), StoreMark());
    EXPECT_TRUE(store->Check({"s1", 5}).ok()) << "nothing is known yet";
    store->Saw({"s1", 5});
    store->SawRevision(9);
    store->SawRevision(7);
    ASSERT_TRUE(store->Save().ok());
  }
  EXPECT_EQ(KnownStore::Open(folder.path()).value()->mark(), (StoreMark{"s1", 9}));
}

TEST(KnownStore, AnotherOrAnOlderOneIsRefused) {
  testing::TempFolder folder;
  const auto store = KnownStore::Open(folder.path()).value();
  store->Saw({"s1", 5});
  EXPECT_TRUE(store->Check({"s1", 5}).ok());
  EXPECT_TRUE(store->Check({"s1", 6}).ok());
  EXPECT_TRUE(store->Check({}).ok()) << "a coordinator of an earlier version";
  for (const StoreMark& wrong : {StoreMark{"s2", 9}, StoreMark{"s1", 4}}) {
    const absl::Status status = store->Check(wrong);
    EXPECT_EQ(ReasonOf(status), ErrorReason::kWrongStore) << status;
  }
}

TEST(KnownStore, AnUnreadableFileIsNotForgottenByItself) {
  testing::TempFolder folder;
  for (const char* text : {"", "s1", "s1 x", "s1 5 6"}) {
    testing::WriteWhole(folder / "store", text);
    const auto store = KnownStore::Open(folder.path());
    EXPECT_TRUE(absl::IsDataLoss(store.status())) << text;
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(folder / "store"));
  }
}

TEST(KnownStore, ForgettingSetsItsUnsentLinesAside) {
  testing::TempFolder folder;
  EXPECT_TRUE(absl::IsNotFound(KnownStore::Forget(folder.path()).status()));
  testing::WriteWhole(folder / "store", "s1 5\n");
  std::filesystem::create_directories(folder / "spool/a");
  EXPECT_EQ(KnownStore::Forget(folder.path()).value(), (StoreMark{"s1", 5}));
  EXPECT_TRUE(std::filesystem::exists(folder / "spool-of-s1/a"));
  EXPECT_FALSE(std::filesystem::exists(folder / "spool"));
  EXPECT_EQ(KnownStore::Open(folder.path()).value()->mark(), StoreMark());
}

}  // namespace
}  // namespace fpo::worker
