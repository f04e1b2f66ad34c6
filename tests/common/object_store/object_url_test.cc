#include "common/object_store/object_url.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace fpo {
namespace {

TEST(ObjectUrl, AnObjectHasABucketAndAKey) {
  const auto name = ParseS3Url("s3://models.example/gemma/v2/");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(name->bucket, "models.example");
  EXPECT_EQ(name->key, "gemma/v2");
  EXPECT_EQ(name->Url(), "s3://models.example/gemma/v2");
  EXPECT_EQ(ParseS3Url("s3://bucket")->key, "");
}

TEST(ObjectUrl, WhatIsNoBucketOrLeavesItsFolderIsRefused) {
  for (const char* url :
       {"s3://", "s3://B", "s3:///key", "s3://Bucket/key", "s3://bucket/a//b", "s3://bucket/../b",
        "s3://bucket/./b", "s3://bucket/a\nb", "s3://bucket/a\\b", "/bucket/key", "s3://-bu/key"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseS3Url(url).status())) << url;
  }
}

TEST(ObjectUrl, ACredentialInAUrlIsRefusedAndNotRepeated) {
  for (const char* url :
       {"s3://AKIAEXAMPLE:hunter2@bucket/key", "s3://bucket/key?X-Amz-Signature=hunter2",
        "s3://bucket/key?AWSAccessKeyId=hunter2"}) {
    const auto name = ParseS3Url(url);
    ASSERT_FALSE(name.ok()) << url;
    EXPECT_FALSE(absl::StrContains(name.status().message(), "hunter2")) << name.status();
  }
}

TEST(ObjectUrl, ARepositoryOfTheHubHasRevisionAndPath) {
  const auto plain = ParseHubUrl("hf://google/gemma-3-270m");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->repository, "google/gemma-3-270m");
  EXPECT_EQ(plain->revision, "main");
  EXPECT_EQ(plain->path, "");
  EXPECT_EQ(plain->DownloadCommand(), "hf download google/gemma-3-270m");

  const auto whole = ParseHubUrl("hf://datasets/org/set@refs%2Fpr%2F1/data/train.jsonl");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_TRUE(whole->is_dataset);
  EXPECT_EQ(whole->revision, "refs/pr/1");
  EXPECT_EQ(whole->path, "data/train.jsonl");
  EXPECT_EQ(whole->DownloadCommand(),
            "hf download --repo-type dataset org/set --revision refs/pr/1");
  EXPECT_EQ(ParseHubUrl("hf://org/name/layer_12/params.npz")->path, "layer_12/params.npz");
}

TEST(ObjectUrl, ARepositoryCannotLeaveTheCache) {
  for (const char* url : {"hf://google", "hf://../x", "hf://org/..", "hf://org/name/../../x",
                          "hf://org/name@../../etc", "hf://org/name@", "hf:///name", "hf://o/-n",
                          "hf://org/name/a@b", "https://org/name"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseHubUrl(url).status())) << url;
  }
}

TEST(ObjectUrl, PathsAreNoUrls) {
  EXPECT_TRUE(IsUrl("s3://b/k"));
  EXPECT_TRUE(IsUrl("https://host/x"));
  EXPECT_FALSE(IsUrl("/data/a://b"));
  EXPECT_FALSE(IsUrl("data/train.jsonl"));
  EXPECT_FALSE(IsUrl("://x"));
}

}  // namespace
}  // namespace fpo
