#include "common/object_store/s3_object_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/hash.h"
#include "tests/common/object_store/s3_server.h"

namespace fpo {
namespace {

using testing::S3Server;
using testing::TempFolder;
using testing::WriteWhole;

std::string Bytes(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>('a' + i * i % 23);
  return bytes;
}

size_t CountOf(const std::vector<std::string>& lines, const std::string& begin) {
  return static_cast<size_t>(
      std::count_if(lines.begin(), lines.end(),
                    [&](const std::string& line) { return absl::StartsWith(line, begin); }));
}

TEST(S3ObjectStore, WhatIsPutIsReadAndStatesItsDigest) {
  const S3Server server;
  S3ObjectStore store(server.Options());
  const ObjectName name{"bucket", "a folder/ü & more+~'.json"};
  ASSERT_TRUE(store.Put(name, "{}").ok()) << store.Put(name, "{}");
  const auto info = store.Head(name);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->bytes, 2);
  EXPECT_EQ(info->sha256, Sha256Of("{}"));
  EXPECT_FALSE(info->etag.empty());
  EXPECT_EQ(store.GetBytes(name, 2).value_or(""), "{}");
  EXPECT_TRUE(absl::IsResourceExhausted(store.GetBytes(name, 1).status()));
  EXPECT_TRUE(store.Delete(name).ok());
  EXPECT_TRUE(store.Delete(name).ok());
  EXPECT_TRUE(absl::IsNotFound(store.Head(name).status()));
  EXPECT_TRUE(store.Put({"bucket", "empty"}, "").ok());
  EXPECT_EQ(store.GetBytes({"bucket", "empty"}, 10).value_or("?"), "");
}

TEST(S3ObjectStore, AListHasEveryPage) {
  const S3Server server;
  S3ObjectStore store(server.Options());
  const std::vector<std::string> keys = {"d/1 a", "d/2+b", "d/3%c", "d/4&d", "d/5"};
  for (const std::string& key : keys) ASSERT_TRUE(store.Put({"bucket", key}, key).ok());
  ASSERT_TRUE(store.Put({"bucket", "e"}, "").ok());
  const auto list = store.List({"bucket", "d/"}, 5);
  ASSERT_TRUE(list.ok()) << list.status();
  std::vector<std::string> found;
  for (const ObjectInfo& info : *list) found.push_back(info.key);
  EXPECT_EQ(found, keys);
  EXPECT_EQ(list->front().etag, store.Head({"bucket", "d/1 a"})->etag);
  EXPECT_TRUE(absl::IsResourceExhausted(store.List({"bucket", "d/"}, 4).status()));
  EXPECT_TRUE(store.List({"bucket", "nothing"}, 4)->empty());
}

TEST(S3ObjectStore, ALargeFileGoesInPartsAndABrokenPartIsSentAgain) {
  const S3Server server("ok,ok,503,ok");
  S3ObjectStore store(server.Options());
  const TempFolder folder;
  const std::string bytes = Bytes(2500);
  WriteWhole(folder / "file", bytes);
  const auto put = store.PutFile({"bucket", "large"}, folder / "file", {});
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(*put, Sha256Of(bytes));
  EXPECT_EQ(store.GetBytes({"bucket", "large"}, 2500).value_or(""), bytes);
  EXPECT_EQ(store.Head({"bucket", "large"})->sha256, Sha256Of(bytes));
  EXPECT_EQ(CountOf(server.Requests(), "PUT /bucket/large?partNumber=2&"), 2u);
}

TEST(S3ObjectStore, AnUploadThatFailsLeavesNoPartsBehind) {
  const S3Server server("ok,ok,403");
  S3ObjectStore store(server.Options());
  const TempFolder folder;
  WriteWhole(folder / "file", Bytes(2500));
  const absl::Status put = store.PutFile({"bucket", "large"}, folder / "file", {}).status();
  EXPECT_TRUE(absl::IsPermissionDenied(put)) << put;
  EXPECT_EQ(CountOf(server.Requests(), "DELETE /bucket/large?uploadId="), 1u);
}

TEST(S3ObjectStore, AReadThatEndsEarlyGoesOnWhereItWas) {
  const S3Server server("ok,ok,cut:700,503,cut:100,ok");
  S3ObjectStore store(server.Options());
  const TempFolder folder;
  const std::string bytes = Bytes(1000);
  ASSERT_TRUE(store.Put({"bucket", "object"}, bytes).ok());
  const auto info = store.Head({"bucket", "object"});
  ASSERT_TRUE(info.ok());
  std::string read;
  const absl::Status status =
      store.Get({"bucket", "object"}, {.etag = info->etag}, [&](absl::string_view piece) {
        read.append(piece.data(), piece.size());
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read, bytes);
  EXPECT_EQ(server.Requests().back(), "GET /bucket/object bytes=800-");
}

TEST(S3ObjectStore, AnObjectThatChangedIsNotReadOn) {
  const S3Server server;
  S3ObjectStore store(server.Options());
  ASSERT_TRUE(store.Put({"bucket", "object"}, "old").ok());
  const std::string etag = store.Head({"bucket", "object"})->etag;
  ASSERT_TRUE(store.Put({"bucket", "object"}, "new").ok());
  const absl::Status status = store.Get({"bucket", "object"}, {.offset = 1, .etag = etag},
                                        [](absl::string_view) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "changed while it was read"));
}

TEST(S3ObjectStore, AServerThatStaysAwayIsAskedThreeTimes) {
  const S3Server server("503,500,503,ok");
  S3ObjectStore store(server.Options());
  const absl::Status status = store.Put({"bucket", "object"}, "");
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(server.Requests().size(), 3u);
}

TEST(S3ObjectStore, WrongCredentialsSaySo) {
  const S3Server server;
  for (const S3Credentials& wrong :
       {S3Credentials{"other-key", "test-secret", ""}, S3Credentials{"test-key", "hunter2", ""},
        S3Credentials{"test-key", "test-secret", "hunter2"}}) {
    S3ObjectStore::Options options = server.Options();
    options.settings.fixed = wrong;
    S3ObjectStore store(options);
    const absl::Status status = store.Head({"bucket", "object"}).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "credentials of this worker are wrong"));
    EXPECT_FALSE(absl::StrContains(status.message(), "hunter2"));
    EXPECT_FALSE(absl::StrContains(status.message(), "test-secret"));
  }
}

TEST(S3ObjectStore, AMissingBucketAndAMissingObjectDiffer) {
  const S3Server server;
  S3ObjectStore store(server.Options());
  const absl::Status object = store.Head({"bucket", "object"}).status();
  const absl::Status bucket = store.Head({"bucket2", "object"}).status();
  EXPECT_TRUE(absl::IsNotFound(object) && absl::StrContains(object.message(), "NoSuchKey"));
  EXPECT_TRUE(absl::IsNotFound(bucket) && absl::StrContains(bucket.message(), "NoSuchBucket"));
}

TEST(S3ObjectStore, AStopEndsTheWaits) {
  const S3Server server("503,503,503");
  S3ObjectStore::Options options = server.Options();
  options.backoff = {.first = absl::Hours(1), .most = absl::Hours(1)};
  S3ObjectStore store(options);
  std::stop_source stop;
  stop.request_stop();
  const absl::Status status = store.Get({"bucket", "object"}, {.stop = stop.get_token()},
                                        [](absl::string_view) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST(S3ObjectStore, EncodedTextIsTheFormThatIsSigned) {
  EXPECT_EQ(S3Encode("a/b c+~", true), "a/b%20c%2B~");
  EXPECT_EQ(S3Encode("a/b", false), "a%2Fb");
  EXPECT_EQ(S3Encode("\xc3\xbc", true), "%C3%BC");
}

}  // namespace
}  // namespace fpo
