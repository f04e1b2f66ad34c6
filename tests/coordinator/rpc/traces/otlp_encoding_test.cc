#include "coordinator/rpc/traces/otlp_encoding.h"

#include "gtest/gtest.h"
#include "proto/fpo/otlp/v1/otlp.pb.h"

namespace fpo::coordinator {
namespace {

namespace wire = fpo::otlp::v1;

TEST(OtlpEncoding, IdsAreBytesAndTimesNanoseconds) {
  Trace trace;
  trace.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  Span span{"00f067aa0ba902b7", "", "job", absl::FromUnixMillis(1500), absl::FromUnixSeconds(2)};
  span.attributes = {{"fpo.step", int64_t{7}}, {"fpo.loss", 0.5}, {"fpo.job", "j-1"}};
  trace.spans = {span,
                 {"00f067aa0ba902b8", span.span_id, "attempt", span.start, span.end, {}, "why"}};
  wire::ExportTracesRequest request;
  ASSERT_TRUE(request.ParseFromString(EncodeTrace(trace, {{"service.name", "fpo"}}, "1.2")));
  const wire::ResourceSpans& all = request.resource_spans(0);
  EXPECT_EQ(all.resource().attributes(0).key(), "service.name");
  EXPECT_EQ(all.resource().attributes(0).value().string_value(), "fpo");
  EXPECT_EQ(all.scope_spans(0).scope().version(), "1.2");
  const wire::Span& job = all.scope_spans(0).spans(0);
  EXPECT_EQ(job.trace_id().size(), 16u);
  EXPECT_EQ(job.span_id(), std::string("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
  EXPECT_EQ(job.parent_span_id(), "");
  EXPECT_EQ(job.start_time_unix_nano(), 1'500'000'000u);
  EXPECT_EQ(job.attributes_size(), 3);
  EXPECT_EQ(job.attributes(1).value().double_value(), 0.5);
  EXPECT_EQ(job.attributes(2).value().int_value(), 7);
  EXPECT_FALSE(job.has_status());
  const wire::Span& attempt = all.scope_spans(0).spans(1);
  EXPECT_EQ(attempt.parent_span_id(), job.span_id());
  EXPECT_EQ(attempt.status().code(), wire::STATUS_CODE_ERROR);
  EXPECT_EQ(attempt.status().message(), "why");
}

TEST(OtlpEncoding, WhatACollectorLeftOutIsSaid) {
  wire::ExportTracesResponse response;
  EXPECT_EQ(RejectedSpans(response.SerializeAsString()), "");
  EXPECT_EQ(RejectedSpans("<html>"), "");
  response.mutable_partial_success()->set_rejected_spans(3);
  response.mutable_partial_success()->set_error_message("too long");
  EXPECT_EQ(RejectedSpans(response.SerializeAsString()), "3 spans: too long");
}

}  // namespace
}  // namespace fpo::coordinator
