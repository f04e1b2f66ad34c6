#include "coordinator/core/hooks/hook.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Job Ended(JobState state) {
  Job job = MakeJob("j-1");
  job.name = "nightly-7";
  job.state = state;
  job.kind = JobKind::kTrain;
  job.ended = kStart;
  return job;
}

Hook For(std::set<HookEvent> events) {
  Hook hook;
  hook.name = "ops";
  hook.events = std::move(events);
  return hook;
}

TEST(HookTest, WhatThereIsToTell) {
  EXPECT_THAT(HookEventsOf(Ended(JobState::kRunning)), IsEmpty());
  EXPECT_THAT(HookEventsOf(Ended(JobState::kPaused)), IsEmpty());
  EXPECT_THAT(HookEventsOf(Ended(JobState::kHeld)), ElementsAre(HookEvent::kHeld));
  EXPECT_THAT(HookEventsOf(Ended(JobState::kFailed)), ElementsAre(HookEvent::kFailed));
  EXPECT_THAT(HookEventsOf(Ended(JobState::kCancelled)), ElementsAre(HookEvent::kCancelled));
  Job job = Ended(JobState::kSucceeded);
  job.result = {{"constraint/held", 1}, {"eval_contracts_broken", 0}};
  EXPECT_THAT(HookEventsOf(job), ElementsAre(HookEvent::kSucceeded));
  for (const auto& [name, value] :
       {std::pair{"constraint/held", 0.0}, {"eval_contracts_broken", 2.0}}) {
    Job broken = job;
    broken.result[name] = value;
    EXPECT_THAT(HookEventsOf(broken), ElementsAre(HookEvent::kSucceeded, HookEvent::kBudgetBroken))
        << name;
  }
}

TEST(HookTest, HearsOfItsEventsOwnerAndNames) {
  const Job job = Ended(JobState::kFailed);
  EXPECT_TRUE(Wants(For({HookEvent::kFailed}), job, HookEvent::kFailed));
  EXPECT_FALSE(Wants(For({HookEvent::kSucceeded}), job, HookEvent::kFailed));
  Hook hook = For({HookEvent::kFailed});
  hook.owner = "ada";
  hook.job = "nightly-*";
  EXPECT_TRUE(Wants(hook, job, HookEvent::kFailed));
  hook.job = "nightly-?";
  EXPECT_TRUE(Wants(hook, job, HookEvent::kFailed));
  hook.job = "weekly-*";
  EXPECT_FALSE(Wants(hook, job, HookEvent::kFailed));
  hook.job.clear();
  hook.owner = "eve";
  EXPECT_FALSE(Wants(hook, job, HookEvent::kFailed));
}

TEST(HookTest, OnRequestAJobNamesItInALabel) {
  Hook hook = For({HookEvent::kFailed});
  hook.on_request = true;
  Job job = Ended(JobState::kFailed);
  EXPECT_FALSE(Wants(hook, job, HookEvent::kFailed));
  for (const char* label : {"ops", "team,ops"}) {
    job.labels["notify"] = label;
    EXPECT_TRUE(Wants(hook, job, HookEvent::kFailed)) << label;
  }
  job.labels["notify"] = "opsx";
  EXPECT_FALSE(Wants(hook, job, HookEvent::kFailed));
}

TEST(HookTest, ARepetitionHasTheSameId) {
  const Hook hook = For({HookEvent::kFailed});
  Job job = Ended(JobState::kFailed);
  const std::string id = DeliveryIdOf(hook, job, HookEvent::kFailed);
  job.revision += 9;
  EXPECT_EQ(DeliveryIdOf(hook, job, HookEvent::kFailed), id);
  EXPECT_NE(DeliveryIdOf(hook, job, HookEvent::kSucceeded), id);
  Hook other = hook;
  other.name = "team";
  EXPECT_NE(DeliveryIdOf(other, job, HookEvent::kFailed), id);
  Job held = Ended(JobState::kHeld);
  const std::string first = DeliveryIdOf(hook, held, HookEvent::kHeld);
  held.state_since += absl::Seconds(5);
  EXPECT_NE(DeliveryIdOf(hook, held, HookEvent::kHeld), first) << "held once more";
}

TEST(HookTest, TheBodySaysWhatBecameOfTheJob) {
  Job job = Ended(JobState::kSucceeded);
  job.config_json = R"({"judge": {"key_file": "/secret"}})";
  job.result = {{"eval_loss", 0.25}, {"loss", NAN}};
  job.result_texts = {{"stopped_early", "stopped early at step 4 of 9"}};
  job.labels = {{"team", "a"}};
  const std::string body = HookBody(For({}), job, HookEvent::kSucceeded);
  const auto json = nlohmann::json::parse(body);
  EXPECT_EQ(json["event"], "succeeded");
  EXPECT_EQ(json["delivery"], DeliveryIdOf(For({}), job, HookEvent::kSucceeded));
  EXPECT_EQ(json["time"], "2027-01-15T08:00:00Z");
  EXPECT_EQ(json["job"]["id"], "j-1");
  EXPECT_EQ(json["job"]["owner"], "ada");
  EXPECT_EQ(json["job"]["kind"], "train");
  EXPECT_EQ(json["job"]["state"], "SUCCEEDED");
  EXPECT_EQ(json["job"]["labels"]["team"], "a");
  EXPECT_EQ(json["job"]["result"]["eval_loss"], 0.25);
  EXPECT_TRUE(json["job"]["result"]["loss"].is_null());
  EXPECT_EQ(json["job"]["result"]["stopped_early"], "stopped early at step 4 of 9");
  EXPECT_EQ(body.find("secret"), std::string::npos);
}

TEST(HookTest, SlackGetsOneTextWithItsMarksEscaped) {
  Hook hook = For({});
  hook.slack = true;
  Job job = Ended(JobState::kFailed);
  job.reason = "<!channel> & more \xff";
  const auto json = nlohmann::json::parse(HookBody(hook, job, HookEvent::kFailed));
  EXPECT_EQ(json.size(), 1u);
  EXPECT_THAT(json["text"].get<std::string>(),
              HasSubstr("*nightly-7* (j-1) of ada: failed: &lt;!channel&gt; &amp; more"));
}

}  // namespace
}  // namespace fpo::coordinator
