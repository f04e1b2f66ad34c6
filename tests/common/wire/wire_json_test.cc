#include "common/wire/wire_json.h"

#include <string>

#include "gtest/gtest.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "tests/support/wire_json_reader.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

TEST(WireJson, IsOneLineOfProto3JsonWithEveryField) {
  pb::SubmitResponse response;
  response.set_job_id("j-1");
  response.set_revision(7);
  EXPECT_EQ(WireJson(response), R"({"job_id":"j-1","revision":"7","warnings":[],"records":""})");
}

TEST(WireJson, EnumsAreTheTextsOfTheValues) {
  pb::Worker worker;
  worker.set_worker_id("w1");
  worker.set_state(pb::WORKER_STATE_DRAINED);
  worker.set_device(pb::DEVICE_KIND_CUDA);
  EXPECT_EQ(WireJson(worker, JsonFields::kSet),
            R"({"worker_id":"w1","state":"drained","device":"cuda"})");
  pb::ListJobsRequest list;
  list.add_states(pb::JOB_STATE_RUNNING);
  list.add_states(pb::JOB_STATE_FAILED);
  EXPECT_EQ(WireJson(list, JsonFields::kSet), R"({"states":["RUNNING","FAILED"]})");
}

TEST(WireJson, AnEnumWithoutAValueIsEmptyText) {
  EXPECT_EQ(WireJson(pb::Attempt()),
            R"({"number":0,"epoch":"0","workers":[],"end_class":"","end_message":""})");
  pb::LogLine line;
  line.set_stream(static_cast<pb::LineStream>(9));
  EXPECT_EQ(WireJson(line, JsonFields::kSet), R"({"stream":9})") << "of a newer program";
}

// Job names, labels and messages are whatever people wrote.
TEST(WireJson, TextThatLooksLikeAValueOrLikeJsonStays) {
  pb::Job job;
  job.set_name("JOB_STATE_RUNNING");
  job.set_reason(R"("state":"JOB_STATE_RUNNING"},[{\)");
  (*job.mutable_labels())["state"] = "JOB_STATE_FAILED";
  (*job.mutable_result())["loss"] = 0.1;
  job.set_state(pb::JOB_STATE_QUEUED);
  job.mutable_submitted()->set_seconds(3);
  job.add_attempts()->set_end_class(pb::END_CLASS_MEMORY);
  EXPECT_EQ(WireJson(job, JsonFields::kSet),
            R"({"name":"JOB_STATE_RUNNING","state":"QUEUED",)"
            R"("reason":"\"state\":\"JOB_STATE_RUNNING\"},[{\\",)"
            R"("attempts":[{"end_class":"memory"}],"submitted":"1970-01-01T00:00:03Z",)"
            R"("result":{"loss":0.1},"labels":{"state":"JOB_STATE_FAILED"}})");
}

// The reader that tests of fpoctl use takes what is written here, and nothing else.
TEST(WireJson, IsReadBackByTests) {
  pb::Job job;
  EXPECT_TRUE(
      fpo::testing::ReadWireJson(R"({"state":"RUNNING","kind":"","labels":{"a":"b"}})", &job));
  EXPECT_EQ(job.state(), pb::JOB_STATE_RUNNING);
  EXPECT_FALSE(fpo::testing::ReadWireJson(R"({"state":"ASLEEP"})", &job));
  EXPECT_FALSE(fpo::testing::ReadWireJson(R"({"mood":"RUNNING"})", &job));
}

}  // namespace
}  // namespace fpo
