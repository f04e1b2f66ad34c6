#include "coordinator/core/hooks/hook_queue.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Hooks "all" and "bad", which hears of failures alone.
class HookQueueTest : public ::testing::Test {
 protected:
  HookQueueTest() {
    Start();
    EXPECT_THAT(Due(), IsEmpty());
  }
  // As after a restart of the coordinator: only what is stored is known.
  void Start() {
    table_ = std::make_unique<JobTable>(&store_);
    ASSERT_TRUE(table_->Load().ok());
    Hook all, bad;
    all.name = "all";
    all.events = {HookEvent::kSucceeded, HookEvent::kFailed, HookEvent::kCancelled,
                  HookEvent::kHeld, HookEvent::kBudgetBroken};
    bad.name = "bad";
    bad.events = {HookEvent::kFailed};
    queue_ = std::make_unique<HookQueue>(std::vector<Hook>{all, bad}, &store_,
                                         HookQueue::Source{[this](uint64_t after, size_t most) {
                                           return table_->ToTellAfter(after, most);
                                         }},
                                         HookQueue::Options{});
    ASSERT_TRUE(queue_->Load(now_).ok());
  }
  std::string End(JobState state, std::map<std::string, double> result = {}) {
    SubmittedRequest request;
    request.request_id = absl::StrCat("r", ++requests_);
    Job job = *table_->Create(MakeJob(""), request, now_.wall).value();
    job.state = state;
    job.state_since = now_.wall;
    job.result = std::move(result);
    return table_->Put(job).value()->job_id;
  }
  // "all failed j-...", and so on.
  std::vector<std::string> Due() {
    std::vector<std::string> due;
    for (const HookDelivery& delivery : queue_->TakeDue(now_)) {
      due.push_back(absl::StrCat(queue_->hooks()[delivery.hook].name, " ", Name(delivery.event),
                                 " ", delivery.job_id));
    }
    return due;
  }
  void Pass(absl::Duration time) {
    now_.wall += time;
    now_.steady += time;
  }

  MemoryJobStore store_;
  std::unique_ptr<JobTable> table_;
  std::unique_ptr<HookQueue> queue_;
  Moment now_{kStart, kStart};
  int requests_ = 0;
};

TEST_F(HookQueueTest, EachHookHearsOneThingAtATimeInOrder) {
  const std::string a = End(JobState::kSucceeded), b = End(JobState::kFailed);
  EXPECT_THAT(Due(), ElementsAre("all succeeded " + a, "bad failed " + b));
  EXPECT_THAT(Due(), IsEmpty()) << "both are being told";
  queue_->Delivered(0, now_);
  EXPECT_THAT(Due(), ElementsAre("all failed " + b));
  queue_->Delivered(0, now_);
  queue_->Delivered(1, now_);
  EXPECT_THAT(Due(), IsEmpty());
  EXPECT_EQ(queue_->CountsOf(0).delivered, 2);
}

TEST_F(HookQueueTest, OneJobMayHaveTwoThingsToTell) {
  const std::string a = End(JobState::kSucceeded, {{"constraint/held", 0}});
  EXPECT_THAT(Due(), ElementsAre("all succeeded " + a));
  queue_->Delivered(0, now_);
  EXPECT_EQ(store_.LoadHookMarks()->at("all"), 0u) << "the other one is not told yet";
  EXPECT_THAT(Due(), ElementsAre("all budget_broken " + a));
  queue_->Delivered(0, now_);
  EXPECT_GT(store_.LoadHookMarks()->at("all"), 0u);
}

TEST_F(HookQueueTest, WhatWasNotDeliveredIsToldAfterARestartAndWhatWasIsNot) {
  const std::string a = End(JobState::kSucceeded), b = End(JobState::kFailed);
  EXPECT_THAT(Due(), ElementsAre("all succeeded " + a, "bad failed " + b));
  queue_->Delivered(0, now_);
  EXPECT_THAT(Due(), ElementsAre("all failed " + b));
  Start();  // with two deliveries under way
  EXPECT_THAT(Due(), ElementsAre("all failed " + b, "bad failed " + b));
  queue_->Delivered(0, now_);
  queue_->Delivered(1, now_);
  Start();
  EXPECT_THAT(Due(), IsEmpty());
}

// The table's revision also counts changes that are not stored, and goes back at a restart.
TEST_F(HookQueueTest, AMarkAheadOfTheStoreHidesNothing) {
  ASSERT_TRUE(store_.PutHookMark("all", 1'000'000).ok());
  Start();
  const std::string a = End(JobState::kCancelled);
  EXPECT_THAT(Due(), ElementsAre("all cancelled " + a));
}

TEST_F(HookQueueTest, ANewHookHearsOfWhatComes) {
  End(JobState::kFailed);
  ASSERT_FALSE(Due().empty());
  Hook hook;
  hook.name = "new";
  hook.events = {HookEvent::kFailed};
  HookQueue late({hook}, &store_,
                 {[this](uint64_t after, size_t most) { return table_->ToTellAfter(after, most); }},
                 {});
  ASSERT_TRUE(late.Load(now_).ok());
  EXPECT_TRUE(late.TakeDue(now_).empty());
  End(JobState::kFailed);
  EXPECT_EQ(late.TakeDue(now_).size(), 1u);
}

TEST_F(HookQueueTest, TriesAgainLaterAndLater) {
  End(JobState::kSucceeded);
  ASSERT_EQ(Due().size(), 1u);
  queue_->Failed(0, absl::ZeroDuration(), now_);
  EXPECT_THAT(Due(), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Due().size(), 1u);
  queue_->Failed(0, absl::ZeroDuration(), now_);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Due(), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Due().size(), 1u);
  queue_->Failed(0, absl::Minutes(3), now_);  // Retry-After
  Pass(absl::Minutes(2));
  EXPECT_THAT(Due(), IsEmpty());
  Pass(absl::Minutes(1));
  EXPECT_EQ(Due().size(), 1u);
  for (int i = 0; i < 40; ++i) {
    queue_->Failed(0, absl::ZeroDuration(), now_);
    Pass(absl::Minutes(10));
    ASSERT_EQ(Due().size(), 1u) << i;
  }
  queue_->Delivered(0, now_);
  EXPECT_EQ(queue_->CountsOf(0).failed, 43);
}

TEST_F(HookQueueTest, GivesUpAfterADay) {
  const std::string a = End(JobState::kFailed);
  ASSERT_EQ(Due().size(), 2u);
  queue_->Failed(0, absl::ZeroDuration(), now_);
  queue_->Delivered(1, now_);
  Pass(absl::Hours(25));
  const std::string b = End(JobState::kFailed);
  EXPECT_THAT(Due(), ElementsAre("all failed " + b, "bad failed " + b));
  EXPECT_EQ(queue_->CountsOf(0).given_up, 1);
  EXPECT_EQ(queue_->CountsOf(1).given_up, 0);
}

TEST_F(HookQueueTest, ADeadHookHoldsNoOtherUpAndOnlyAPageOfJobs) {
  for (int i = 0; i < 250; ++i) End(JobState::kFailed);
  ASSERT_EQ(Due().size(), 2u);
  queue_->Failed(0, absl::ZeroDuration(), now_);
  for (int i = 0; i < 249; ++i) {
    queue_->Delivered(1, now_);
    ASSERT_EQ(Due().size(), 1u) << i;
  }
  queue_->Delivered(1, now_);
  EXPECT_THAT(Due(), IsEmpty());
  EXPECT_EQ(queue_->CountsOf(1).delivered, 250);
  EXPECT_EQ(queue_->CountsOf(0).waiting, 100);
}

// A later change of an ended job, such as a checkpoint that is removed, tells nothing again.
TEST_F(HookQueueTest, AChangeAfterTheEndIsNotTold) {
  const std::string a = End(JobState::kCancelled);
  ASSERT_EQ(Due().size(), 1u);
  queue_->Delivered(0, now_);
  Job job = *table_->Get(a);
  job.reason = "another";
  ASSERT_TRUE(table_->Put(job).ok());
  EXPECT_THAT(Due(), IsEmpty());
  Pass(absl::Minutes(2));
  EXPECT_THAT(Due(), IsEmpty());  // the mark moves on while nothing happens
  Start();
  EXPECT_THAT(Due(), IsEmpty());
}

}  // namespace
}  // namespace fpo::coordinator
