#include "worker/core/process/rank_environment.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

const RankIdentity kRank{{"job-1", 2, 7}, 3};

TEST(RankEnvironmentTest, CarriesTheAttemptAndDropsSecrets) {
  EXPECT_THAT(RankEnvironment(
                  {"PATH=/bin", "FPO_TOKEN_FILE=/x", "AWS_SECRET_ACCESS_KEY=k", "API_KEY=k",
                   "db_password=p", "AWS_ACCESS_KEY_ID=k", "AWS_PROFILE=p", "AWS_ENDPOINT_URL=u",
                   "PGPASSWD=p", "GPG_PASSPHRASE=p", "HTTP_AUTH=a", "SSH_AUTH_SOCK=/s",
                   "AUTHORS=us", "PWD=/", "KEYBOARD=us", "FPO_ATTEMPT=old/1/1",
                   "EMPTY=", "OTEL_EXPORTER_OTLP_HEADERS=api=k", "TRACEPARENT=00-1"},
                  kRank, ""),
              UnorderedElementsAre("PATH=/bin", "AUTHORS=us", "PWD=/", "KEYBOARD=us",
                                   "EMPTY=", "FPO_ATTEMPT=job-1/2/7", "FPO_RANK=3"));
}

TEST(RankEnvironmentTest, ShowsOneDevice) {
  EXPECT_THAT(RankEnvironment({}, kRank, "1"),
              ElementsAre("CUDA_VISIBLE_DEVICES=1", "FPO_ATTEMPT=job-1/2/7", "FPO_RANK=3"));
  EXPECT_THAT(RankEnvironment({"CUDA_VISIBLE_DEVICES=4,GPU-abc"}, kRank, "GPU-abc"),
              ElementsAre("CUDA_VISIBLE_DEVICES=GPU-abc", "FPO_ATTEMPT=job-1/2/7", "FPO_RANK=3"));
  EXPECT_THAT(RankEnvironment({"CUDA_VISIBLE_DEVICES=4"}, kRank, ""),
              ElementsAre("CUDA_VISIBLE_DEVICES=4", "FPO_ATTEMPT=job-1/2/7", "FPO_RANK=3"));
}

}  // namespace
}  // namespace fpo::worker
