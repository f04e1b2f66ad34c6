#include "worker/core/objects/fetched_blobs.h"

#include <filesystem>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

class FetchedBlobsTest : public ::testing::Test {
 protected:
  absl::StatusOr<FetchedBlob> Fetch(const std::string& key, std::stop_token stop = {}) {
    const auto info = objects_.Head({"bucket", key});
    if (!info.ok()) return info.status();
    return blobs_.Fetch(
        {"bucket", key}, *info, [this](int64_t bytes) { seen_ += bytes; }, stop);
  }

  fpo::testing::TempFolder folder_;
  fpo::testing::MemoryObjects objects_;
  int64_t seen_ = 0;
  FetchedBlobs blobs_{{.folder = folder_.path(),
                       .disk_reserve_bytes = 0,
                       .make_room = [](int64_t) { return absl::OkStatus(); }},
                      &objects_};
};

TEST_F(FetchedBlobsTest, AnObjectIsTransferredOnce) {
  objects_.Set("a", "content");
  const auto first = Fetch("a"), second = Fetch("a");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->was_here);
  EXPECT_EQ(ReadWhole(first->path), "content");
  EXPECT_EQ(first->sha256, Sha256Of("content"));
  EXPECT_TRUE(second->was_here);
  EXPECT_EQ(objects_.bytes_read(), 7);
  EXPECT_EQ(seen_, 7);
  EXPECT_EQ(fs::status(first->path).permissions(), fs::perms(0440));
}

TEST_F(FetchedBlobsTest, AChangedObjectIsTransferredAnew) {
  objects_.Set("a", "content");
  ASSERT_TRUE(Fetch("a").ok());
  objects_.Set("a", "CONTENT");  // as many bytes
  const auto now = Fetch("a");
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(ReadWhole(now->path), "CONTENT");
}

TEST_F(FetchedBlobsTest, WhatWasBegunGoesOn) {
  objects_.Set("a", "0123456789");
  objects_.break_after = 6;
  EXPECT_TRUE(absl::IsUnavailable(Fetch("a").status()));
  const auto whole = Fetch("a");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(ReadWhole(whole->path), "0123456789");
  EXPECT_EQ(objects_.bytes_read(), 10) << "6, then 4";
}

TEST_F(FetchedBlobsTest, WhatWasBegunOfAnotherVersionDoesNot) {
  objects_.Set("a", "0123456789");
  objects_.break_after = 6;
  EXPECT_FALSE(Fetch("a").ok());
  objects_.Set("a", "abcdefghij");
  EXPECT_EQ(ReadWhole(Fetch("a")->path), "abcdefghij");
}

TEST_F(FetchedBlobsTest, AnObjectThatChangesWhileItIsReadIsNotTaken) {
  objects_.Set("a", "0123456789");
  objects_.before_read = [this] { objects_.Set("a", "abcdefghij"); };
  EXPECT_TRUE(absl::IsFailedPrecondition(Fetch("a").status()));
  EXPECT_EQ(ReadWhole(Fetch("a")->path), "abcdefghij");
}

TEST_F(FetchedBlobsTest, BytesOtherThanTheObjectStatesAreNotKept) {
  objects_.Set("a", "cut");
  objects_.State("a", Sha256Of("cut short"));
  const auto blob = Fetch("a");
  EXPECT_TRUE(absl::IsDataLoss(blob.status())) << blob.status();
  EXPECT_THAT(std::string(blob.status().message()), HasSubstr("s3://bucket/a"));
  EXPECT_TRUE(fs::is_empty(folder_ / "blobs"));
  objects_.Set("a", "cut short", /*states_digest=*/true);
  EXPECT_TRUE(Fetch("a").ok());
}

TEST_F(FetchedBlobsTest, TwoThatWantOneObjectFetchItOnce) {
  objects_.Set("a", "content");
  absl::Notification begun, go_on;
  objects_.before_read = [&] {
    begun.Notify();
    go_on.WaitForNotification();
  };
  std::thread first([&] { EXPECT_TRUE(Fetch("a").ok()); });
  begun.WaitForNotification();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(Fetch("a", stop.get_token()).status())) << "it waits";
  std::thread second([&] { EXPECT_TRUE(Fetch("a")->was_here); });
  go_on.Notify();
  first.join();
  second.join();
  EXPECT_EQ(objects_.bytes_read(), 7);
}

TEST_F(FetchedBlobsTest, WhatIsHeldOrLinkedStays) {
  objects_.Set("held", "1");
  objects_.Set("linked", "22");
  objects_.Set("unused", "333");
  const auto held = Fetch("held");
  const std::string linked = Fetch("linked")->path, unused = Fetch("unused")->path;
  fs::create_hard_link(linked, folder_ / "link");
  EXPECT_EQ(blobs_.BytesUsed(), 6);
  EXPECT_EQ(blobs_.RemoveUnused(), 3);
  EXPECT_TRUE(fs::exists(held->path) && fs::exists(linked));
  EXPECT_FALSE(fs::exists(unused));
  EXPECT_FALSE(Fetch("unused")->was_here) << "it is fetched again";
}

TEST_F(FetchedBlobsTest, AFullDiskIsSaidBeforeAnythingIsTransferred) {
  objects_.Set("a", "content");
  FetchedBlobs blobs({.folder = folder_ / "other",
                      .disk_reserve_bytes = int64_t{1} << 60,
                      .make_room = [](int64_t) { return absl::OkStatus(); }},
                     &objects_);
  const auto blob =
      blobs.Fetch({"bucket", "a"}, *objects_.Head({"bucket", "a"}), [](int64_t) {}, {});
  EXPECT_TRUE(absl::IsResourceExhausted(blob.status())) << blob.status();
  EXPECT_EQ(objects_.bytes_read(), 0);
}

}  // namespace
}  // namespace fpo::worker
