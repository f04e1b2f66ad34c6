#include "common/wire/worker_wire.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

constexpr size_t kPreparedMax = 128;  // a digest in hex has 64

std::vector<AttemptRef> RefsOf(const google::protobuf::RepeatedPtrField<pb::AttemptRef>& protos) {
  std::vector<AttemptRef> refs;
  for (const pb::AttemptRef& proto : protos) refs.push_back(FromProto(proto));
  return refs;
}

}  // namespace

pb::AttemptRef ToProto(const AttemptRef& ref) {
  pb::AttemptRef proto;
  proto.set_job_id(ref.job_id);
  proto.set_attempt(ref.attempt);
  proto.set_epoch(ref.epoch);
  return proto;
}

AttemptRef FromProto(const pb::AttemptRef& proto) {
  return {proto.job_id(), proto.attempt(), proto.epoch()};
}

pb::Hello ToProto(const WorkerHello& hello) {
  pb::Hello proto;
  proto.set_worker_id(hello.worker_id);
  proto.set_instance_id(hello.instance_id);
  proto.set_host(hello.host);
  proto.set_version(hello.version);
  proto.set_slots(hello.slots);
  proto.set_device(ToProto(hello.device));
  for (const AttemptRef& ref : hello.running) *proto.add_running() = ToProto(ref);
  proto.mutable_labels()->insert(hello.labels.begin(), hello.labels.end());
  for (const Device& device : hello.devices) *proto.add_devices() = ToProto(device);
  proto.set_work_dir(hello.work_dir);
  proto.set_home_id(hello.home_id);
  proto.set_boot_id(hello.boot_id);
  proto.set_memory_bytes(hello.memory_bytes);
  proto.set_store_id(hello.store.id);
  proto.set_store_revision(hello.store.revision);
  return proto;
}

WorkerHello FromProto(const pb::Hello& proto) {
  WorkerHello hello;
  hello.worker_id = proto.worker_id();
  hello.instance_id = proto.instance_id();
  hello.host = proto.host();
  hello.version = proto.version();
  hello.slots = proto.slots();
  hello.device = FromProto(proto.device());
  hello.running = RefsOf(proto.running());
  hello.labels.insert(proto.labels().begin(), proto.labels().end());
  for (const pb::Device& device : proto.devices()) hello.devices.push_back(FromProto(device));
  hello.work_dir = proto.work_dir();
  hello.home_id = proto.home_id();
  hello.boot_id = proto.boot_id();
  hello.memory_bytes = proto.memory_bytes();
  hello.store = {proto.store_id(), proto.store_revision()};
  return hello;
}

pb::AttemptReport ToProto(const Report& report) {
  pb::AttemptReport proto;
  *proto.mutable_attempt() = ToProto(report.attempt);
  proto.set_status(ToProto(report.status));
  proto.set_end_class(ToProto(report.end_class));
  proto.set_message(report.message);
  if (report.cache) *proto.mutable_cache() = ToProto(*report.cache);
  proto.set_prepared(report.prepared);
  return proto;
}

absl::StatusOr<Report> FromProto(const pb::AttemptReport& proto) {
  const std::optional<ReportStatus> status = FromProto(proto.status());
  if (!status) {
    return absl::InvalidArgumentError(absl::StrCat("a report about job ", proto.attempt().job_id(),
                                                   ": status ", static_cast<int>(proto.status()),
                                                   " is unknown"));
  }
  Report report;
  report.attempt = FromProto(proto.attempt());
  report.status = *status;
  report.end_class = FromProto(proto.end_class());
  report.message = proto.message();
  if (proto.has_cache()) report.cache = FromProto(proto.cache());
  report.prepared = proto.prepared().substr(0, kPreparedMax);
  return report;
}

pb::EventBatch ToProto(const EventBatch& batch) {
  pb::EventBatch proto;
  *proto.mutable_attempt() = ToProto(batch.attempt);
  proto.set_first_seq(batch.first_seq);
  for (const Line& line : batch.lines) {
    pb::EventItem& item = *proto.add_items();
    item.set_rank(line.rank);
    item.set_json(line.text);
  }
  return proto;
}

EventBatch FromProto(const pb::EventBatch& proto) {
  EventBatch batch{{FromProto(proto.attempt()), proto.first_seq()}};
  for (const pb::EventItem& item : proto.items()) {
    batch.lines.push_back({.rank = item.rank(), .text = item.json()});
  }
  return batch;
}

pb::LogBatch ToProto(const LogBatch& batch) {
  pb::LogBatch proto;
  *proto.mutable_attempt() = ToProto(batch.attempt);
  proto.set_first_seq(batch.first_seq);
  for (const Line& line : batch.lines) {
    pb::LogItem& item = *proto.add_items();
    item.set_rank(line.rank);
    item.set_stream(ToProto(line.stream));
    item.set_time_unix_ms(line.time_unix_ms);
    item.set_text(line.text);
  }
  return proto;
}

LogBatch FromProto(const pb::LogBatch& proto) {
  LogBatch batch{{FromProto(proto.attempt()), proto.first_seq()}};
  for (const pb::LogItem& item : proto.items()) {
    batch.lines.push_back(
        {item.rank(), FromProto(item.stream()), item.time_unix_ms(), item.text()});
  }
  return batch;
}

}  // namespace fpo
