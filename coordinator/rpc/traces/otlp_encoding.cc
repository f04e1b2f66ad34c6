#include "coordinator/rpc/traces/otlp_encoding.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/text/utf8.h"
#include "proto/fpo/otlp/v1/otlp.pb.h"

namespace fpo::coordinator {
namespace {

namespace otlp = fpo::otlp::v1;

uint64_t Nanoseconds(absl::Time time) {
  return static_cast<uint64_t>(std::max(absl::ToUnixNanos(time), int64_t{0}));
}

void Fill(const std::string& key, const SpanValue& value, otlp::KeyValue* proto) {
  proto->set_key(key);
  if (const auto* text = std::get_if<std::string>(&value)) {
    proto->mutable_value()->set_string_value(ShortText(*text));
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    proto->mutable_value()->set_int_value(*number);
  } else {
    proto->mutable_value()->set_double_value(std::get<double>(value));
  }
}

void Fill(const Span& span, const std::string& trace_id, otlp::Span* proto) {
  proto->set_trace_id(trace_id);
  proto->set_span_id(absl::HexStringToBytes(span.span_id));
  proto->set_parent_span_id(absl::HexStringToBytes(span.parent_id));
  proto->set_name(span.name);
  proto->set_kind(otlp::SPAN_KIND_INTERNAL);
  proto->set_start_time_unix_nano(Nanoseconds(span.start));
  proto->set_end_time_unix_nano(Nanoseconds(span.end));
  for (const auto& [key, value] : span.attributes) Fill(key, value, proto->add_attributes());
  if (!span.error.has_value()) return;
  proto->mutable_status()->set_code(otlp::STATUS_CODE_ERROR);
  proto->mutable_status()->set_message(ShortText(*span.error));
}

}  // namespace

std::string EncodeTrace(const Trace& trace, const std::map<std::string, std::string>& resource,
                        const std::string& version) {
  otlp::ExportTracesRequest request;
  otlp::ResourceSpans* spans = request.add_resource_spans();
  for (const auto& [key, value] : resource) {
    Fill(key, value, spans->mutable_resource()->add_attributes());
  }
  otlp::ScopeSpans* scope = spans->add_scope_spans();
  scope->mutable_scope()->set_name("fpo-coordinator");
  scope->mutable_scope()->set_version(version);
  const std::string trace_id = absl::HexStringToBytes(trace.trace_id);
  for (const Span& span : trace.spans) Fill(span, trace_id, scope->add_spans());
  return request.SerializeAsString();
}

std::string RejectedSpans(const std::string& response_body) {
  otlp::ExportTracesResponse response;
  if (!response.ParseFromString(response_body)) return "";
  const otlp::PartialSuccess& partial = response.partial_success();
  if (partial.rejected_spans() == 0) return "";
  return absl::StrCat(partial.rejected_spans(), " spans: ", ShortText(partial.error_message()));
}

}  // namespace fpo::coordinator
