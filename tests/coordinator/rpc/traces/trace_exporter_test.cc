#include "coordinator/rpc/traces/trace_exporter.h"

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fpo/otlp/v1/otlp.pb.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

// A collector whose answers are given one by one.
class FakeCollector {
 public:
  TraceExporter::Send Send() {
    return [this](const std::string& body,
                  const std::stop_token& stop) -> absl::StatusOr<std::string> {
      const std::stop_callback wake(stop, [this] { absl::MutexLock lock(&mutex_); });
      absl::MutexLock lock(&mutex_);
      ++calls_;
      fpo::otlp::v1::ExportTracesRequest request;
      EXPECT_TRUE(request.ParseFromString(body));
      const auto answered = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return !answers_.empty() || stop.stop_requested();
      };
      mutex_.Await(absl::Condition(&answered));
      if (answers_.empty()) return absl::CancelledError();
      const absl::Status answer = answers_.front();
      answers_.pop_front();
      if (!answer.ok()) return answer;
      for (const auto& span : request.resource_spans(0).scope_spans(0).spans()) {
        if (span.name() == "job") taken_.push_back(span.attributes(0).value().string_value());
      }
      return std::string();
    };
  }
  void Answer(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    answers_.push_back(status);
  }
  void AwaitCalls(int number) {
    absl::MutexLock lock(&mutex_);
    const auto came = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return calls_ >= number; };
    mutex_.Await(absl::Condition(&came));
  }
  void AwaitTaken(size_t number) {
    absl::MutexLock lock(&mutex_);
    const auto came = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return taken_.size() >= number; };
    mutex_.Await(absl::Condition(&came));
  }
  std::vector<std::string> taken() {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }

 private:
  absl::Mutex mutex_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<absl::Status> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> taken_ ABSL_GUARDED_BY(mutex_);
};

JobPtr Ended(const std::string& id, bool sampled = true) {
  Job job = MakeJob(id);
  job.trace = {std::string(32, 'a'), "", sampled};
  job.state = JobState::kSucceeded;
  job.submitted = kStart;
  job.ended = kStart;
  return std::make_shared<const Job>(std::move(job));
}

class TraceExporterTest : public ::testing::Test {
 protected:
  void Start() {
    exporter_ = std::make_unique<TraceExporter>(options_, collector_.Send(), &store_, metrics_);
  }

  FakeCollector collector_;
  MemoryJobStore store_;
  MetricsRegistry registry_;
  TraceMetrics metrics_{&registry_};
  TraceExporter::Options options_ = {
      .waiting_max = 2,
      .tries_max = 3,
      .backoff = {.first = absl::Milliseconds(1), .most = absl::Milliseconds(1), .seed = 1}};
  std::unique_ptr<TraceExporter> exporter_;
};

TEST_F(TraceExporterTest, JobsAreSentInTheirOrderAndThoseInNoTraceAreNot) {
  Start();
  exporter_->Add(std::make_shared<const Job>(MakeJob("none")));
  exporter_->Add(Ended("unsampled", false));
  exporter_->Add(Ended("a"));
  exporter_->Add(Ended("b"));
  collector_.Answer(absl::OkStatus());
  collector_.Answer(absl::OkStatus());
  collector_.AwaitTaken(2);
  exporter_->Stop();
  EXPECT_EQ(collector_.taken(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(metrics_.sent.Value(), 2);
}

TEST_F(TraceExporterTest, ACollectorThatIsAwayForAWhileLosesNothing) {
  Start();
  exporter_->Add(Ended("a"));
  collector_.Answer(absl::UnavailableError("away"));
  collector_.Answer(absl::UnavailableError("away"));
  collector_.Answer(absl::OkStatus());
  collector_.AwaitTaken(1);
  exporter_->Stop();
  EXPECT_EQ(metrics_.failed_tries.Value(), 2);
  EXPECT_EQ(metrics_.sent.Value(), 1);
  EXPECT_EQ(metrics_.gave_up.Value(), 0);
}

TEST_F(TraceExporterTest, WhatDoesNotGetThroughIsDroppedAndCounted) {
  Start();
  exporter_->Add(Ended("a"));
  for (int i = 0; i < 3; ++i) collector_.Answer(absl::UnavailableError("away"));
  collector_.AwaitCalls(3);
  exporter_->Add(Ended("b"));
  collector_.Answer(absl::InvalidArgumentError("HTTP 400"));
  collector_.AwaitCalls(4);
  exporter_->Add(Ended("c"));
  collector_.Answer(absl::OkStatus());
  collector_.AwaitTaken(1);
  exporter_->Stop();
  EXPECT_EQ(collector_.taken(), std::vector<std::string>{"c"});
  const std::string text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("fpo_traces_dropped_total{reason=\"gave_up\"} 1"));
  EXPECT_THAT(text, HasSubstr("fpo_traces_dropped_total{reason=\"refused\"} 1"));
  EXPECT_THAT(text, HasSubstr("fpo_trace_send_failures_total 4"));
}

TEST_F(TraceExporterTest, MoreThanAFewDoNotWaitAndTheEndDoesNotWaitForACollector) {
  Start();
  exporter_->Add(Ended("a"));
  collector_.AwaitCalls(1);  // and has no answer
  exporter_->Add(Ended("b"));
  exporter_->Add(Ended("c"));
  exporter_->Add(Ended("d"));
  EXPECT_EQ(metrics_.waiting.Value(), 2);
  EXPECT_EQ(metrics_.too_many.Value(), 2);
  exporter_->Stop();
}

}  // namespace
}  // namespace fpo::coordinator
