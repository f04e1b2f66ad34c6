#include "coordinator/rpc/pages/page_cache.h"

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

JobPtr JobWith(const std::string& id, const CacheUse& use) {
  auto job = std::make_shared<Job>();
  job->job_id = id;
  job->name = "name of " + id;
  job->owner = "ada";
  job->progress.cache = use;
  return job;
}

TEST(PageCacheTest, SaysWhichJobsShareAManifestAndWhatARecipeSaved) {
  const CacheUse computes{
      .records_total = 8, .records_computed = 8, .manifest_id = "aa", .recipe_id = "rr"};
  CacheUse finds = computes;
  finds.records_computed = 0;
  finds.records_hit = 8;
  finds.saved_seconds = 40;
  CacheUse unmeasured = finds;
  unmeasured.saved_seconds = 0;
  const json uses = json::parse(CacheUsesJson({JobWith("j-1", computes), JobWith("j-2", finds),
                                               JobWith("j-3", unmeasured), JobWith("j-4", {})},
                                              true));
  EXPECT_EQ(uses["manifests"].size(), 1u);
  EXPECT_EQ(uses["manifests"]["aa"]["count"], 3);
  EXPECT_EQ(uses["manifests"]["aa"]["jobs"][1]["job_id"], "j-2");
  EXPECT_EQ(uses["manifests"]["aa"]["jobs"][1]["hit"], 8);
  EXPECT_EQ(uses["saved"]["rr"], json({{"seconds", 40.0}, {"jobs", 1}, {"unmeasured", 1}}));
  EXPECT_EQ(uses["seen"], 4);
  EXPECT_EQ(uses["all"], true);
}

TEST(PageCacheTest, ManyJobsOfAManifestAreCounted) {
  std::vector<JobPtr> jobs;
  CacheUse use;
  use.manifest_id = "m";
  for (int i = 0; i < 100; ++i) jobs.push_back(JobWith(absl::StrCat("j-", i), use));
  const json uses = json::parse(CacheUsesJson(jobs, false));
  EXPECT_EQ(uses["manifests"]["m"]["jobs"].size(), 20u);
  EXPECT_EQ(uses["manifests"]["m"]["count"], 100);
  EXPECT_EQ(uses["all"], false);
}

class PageCacheCallTest : public ::testing::Test {
 protected:
  json Ask(const PageCache::Options& options, const std::string& token, int status) {
    const auto page = PageCache::Create(options, coordinator_.get()).value();
    absl::Notification answered;
    HttpReply said;
    page->Routes().at("/api/cache").answer({.token = token}, [&](HttpReply reply) {
      said = std::move(reply);
      answered.Notify();
    });
    answered.WaitForNotification();
    EXPECT_EQ(said.status, status) << said.body;
    return json::parse(said.body);
  }

  FakeClock clock_{kStart};
  MemoryJobStore store_;
  std::unique_ptr<Coordinator> coordinator_ =
      Coordinator::Open(CoordinatorOptions(), {&store_, &clock_, &clock_}).value();
};

TEST_F(PageCacheCallTest, SaysWhyThereIsNothingToSee) {
  EXPECT_THAT(Ask({}, "", 409)["hint"].get<std::string>(), HasSubstr("--cache HOST:PORT"));
  EXPECT_THAT(Ask({.address = "127.0.0.1:1"}, "", 503)["error"].get<std::string>(),
              HasSubstr("the cache at 127.0.0.1:1 is not reachable"));
  EXPECT_EQ(Ask({.address = "127.0.0.1:1", .has_list = true}, "", 401)["code"], "UNAUTHENTICATED");
}

TEST_F(PageCacheCallTest, NoTokenIsSentInTheClear) {
  EXPECT_THAT(Ask({.address = "cache.example:7080"}, "fpo_1", 403)["error"].get<std::string>(),
              HasSubstr("only over TLS or to this machine"));
}

}  // namespace
}  // namespace fpo::coordinator
