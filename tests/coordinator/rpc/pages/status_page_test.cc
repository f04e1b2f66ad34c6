#include "coordinator/rpc/pages/status_page.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class StatusPageTest : public ::testing::Test {
 protected:
  StatusPageTest() {
    id_ = coordinator_->Submit({"r", ConfigJson("tiny"), "ada"}).value().job->job_id;
    EXPECT_TRUE(coordinator_->Connect(HelloOf("w1"), std::make_shared<FakeLink>()).ok());
    coordinator_->Tick();
    page_.AddTo(&routes_);
  }
  json Get(const std::string& path) { return json::parse(routes_.at(path)().body); }
  HttpReply Ask(const std::string& path, const std::string& query) {
    return page_.QueryRoutes().at(path)(query);
  }

  FakeClock clock_{kStart};
  MemoryJobStore store_;
  std::unique_ptr<Coordinator> coordinator_ =
      Coordinator::Open(CoordinatorOptions(), {&store_, &clock_, &clock_}).value();
  StatusPage page_{coordinator_.get(), {.cache = "127.0.0.1:7080"}};
  HttpRoutes routes_;
  std::string id_;
};

TEST_F(StatusPageTest, ShowsJobsQueueAndWorkers) {
  EXPECT_EQ(Get("/api/jobs")["jobs"][0]["name"], "tiny");
  EXPECT_EQ(Get("/api/queue")["running"][0]["job"]["state"], "RESERVED");
  EXPECT_EQ(Get("/api/workers")["workers"][0]["worker_id"], "w1");
  const HttpReply page = routes_.at("/")();
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page.policy, HasSubstr("frame-ancestors 'none'"));
  for (const char* file :
       {"/status_page.css", "/status_page.js", "/charts.css", "/charts.js", "/charts.txt"}) {
    EXPECT_THAT(page.body, HasSubstr(file));
    EXPECT_EQ(routes_.count(file), 1u) << file;
  }
  EXPECT_EQ(routes_.at("/status_page.css")().content_type, "text/css; charset=utf-8");
  const HttpReply script = routes_.at("/status_page.js")();
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
  EXPECT_THAT(script.body, HasSubstr("/api/queue"));
}

TEST_F(StatusPageTest, ShowsOneJobWithItsCurves) {
  EventBatch batch{{LastAttemptRef(*coordinator_->GetJob(id_).value()), 1}};
  for (int64_t step = 1; step <= 3; ++step)
    batch.lines.push_back({.rank = 0, .text = StepLine(step, 9, 0.5)});
  ASSERT_TRUE(coordinator_->AddEvents("w1", batch).ok());
  EXPECT_EQ(json::parse(Ask("/api/job", "id=" + id_).body)["job"]["job_id"], id_);
  EXPECT_EQ(json::parse(Ask("/api/metrics", "id=tiny").body)["series"][0]["values"].size(), 3u);
}

TEST_F(StatusPageTest, ComparesJobs) {
  clock_.Advance(absl::Seconds(1));
  const std::string other =
      coordinator_->Submit({"r2", ConfigJson("other"), "ada"}).value().job->job_id;
  const json said = json::parse(Ask("/api/compare", "jobs=" + id_ + "," + other + ",tiny").body);
  ASSERT_EQ(said["jobs"].size(), 2u) << "each once";
  EXPECT_EQ(said["jobs"][1]["job_id"], other);
  EXPECT_EQ(Ask("/api/compare", "jobs=" + id_).status, 200);
  EXPECT_EQ(Ask("/api/compare", "jobs=" + id_ + ",nobody").status, 404);
  for (const char* query : {"", "jobs=", "jobs=a,b,c,d,e,f,g,h,i,j,k,l,m"}) {
    EXPECT_EQ(Ask("/api/compare", query).status, 400) << query;
  }
}

TEST_F(StatusPageTest, SaysWhatThePageMayDo) {
  EXPECT_EQ(Get("/api/page"),
            json({{"wants_token", false}, {"no_changes", ""}, {"cache", "127.0.0.1:7080"}}));
}

TEST_F(StatusPageTest, UnknownJobsAreNotFound) {
  for (const char* query : {"", "id=", "id=nobody", "x"}) {
    EXPECT_EQ(Ask("/api/job", query).status, 404) << query;
    EXPECT_EQ(Ask("/api/metrics", query).status, 404) << query;
  }
}

}  // namespace
}  // namespace fpo::coordinator
