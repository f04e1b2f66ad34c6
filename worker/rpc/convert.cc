#include "worker/rpc/convert.h"

#include <utility>

#include "common/error_info.h"
#include "common/hash.h"

namespace fpo::worker {

namespace pb = fpo::v1;

pb::WorkerMessage ToProto(const Outgoing& outgoing) {
  pb::WorkerMessage message;
  if (const auto* report = std::get_if<Report>(&outgoing)) {
    *message.mutable_report() = ToProto(*report);
  } else if (const auto* closing = std::get_if<Closing>(&outgoing)) {
    message.mutable_closing()->set_why(closing->why);
  } else if (const auto* leaving = std::get_if<Leaving>(&outgoing)) {
    message.mutable_leaving()->set_why(leaving->why);
  } else if (const auto* events = std::get_if<EventBatch>(&outgoing)) {
    *message.mutable_events() = ToProto(*events);
  } else if (const auto* logs = std::get_if<LogBatch>(&outgoing)) {
    *message.mutable_logs() = ToProto(*logs);
  }
  return message;
}

pb::PushArtifactRequest ToProto(ArtifactFrame frame) {
  pb::PushArtifactRequest message;
  for (const ArtifactFile& file : frame.files) *message.add_files() = ToProto(file);
  message.set_data(std::move(frame.data));
  if (frame.sha256) message.set_sha256(ToBytes(*frame.sha256));
  return message;
}

pb::PushArtifactRequest ErrorToProto(const absl::Status& error) {
  pb::PushArtifactRequest message;
  pb::PushError& proto = *message.mutable_error();
  proto.set_code(static_cast<int>(error.code()));
  proto.set_message(std::string(error.message()));
  const ErrorInfo info = GetErrorInfo(error).value_or(ErrorInfo());
  proto.set_reason(std::string(ErrorReasonName(info.reason)));
  proto.set_hint(info.hint);
  return message;
}

}  // namespace fpo::worker
