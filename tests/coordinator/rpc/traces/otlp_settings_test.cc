#include "coordinator/rpc/traces/otlp_settings.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<OtlpSettings> Read(const std::map<std::string, std::string>& variables) {
  return ReadOtlpSettings([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(OtlpSettings, WithoutAnEndpointNothingIsSentAndNothingIsWrong) {
  EXPECT_EQ(*Read({}), OtlpSettings());
  EXPECT_EQ(*Read({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", " "}}),
            OtlpSettings());
  const std::pair<std::string, std::string> endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT",
                                                        "http://c:4318"};
  EXPECT_EQ(Read({endpoint, {"OTEL_SDK_DISABLED", "True"}})->url, "");
  EXPECT_EQ(Read({endpoint, {"OTEL_TRACES_EXPORTER", "none"}})->url, "");
}

TEST(OtlpSettings, TheVariableOfTracesComesFirst) {
  EXPECT_EQ(Read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"}})->url,
            "http://c:4318/v1/traces");
  const OtlpSettings settings =
      *Read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"},
             {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/in"},
             {"OTEL_EXPORTER_OTLP_HEADERS", "a=1"},
             {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=s%20t=x , tenant=me"},
             {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
             {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"},
             {"OTEL_RESOURCE_ATTRIBUTES", "site=b1,service.name=x"},
             {"OTEL_SERVICE_NAME", "fpo-prod"}});
  EXPECT_EQ(settings.url, "https://t/in") << "as it is";
  EXPECT_EQ(settings.headers,
            (std::map<std::string, std::string>{{"api-key", "s t=x"}, {"tenant", "me"}}));
  EXPECT_EQ(settings.resource,
            (std::map<std::string, std::string>{{"service.name", "fpo-prod"}, {"site", "b1"}}));
  EXPECT_EQ(settings.timeout, absl::Milliseconds(2500));
  EXPECT_EQ(settings.ca_file, "/ca.pem");
  EXPECT_EQ(Read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}})->resource.at("service.name"),
            "fpo-coordinator");
}

TEST(OtlpSettings, WhatIsWrongIsNamedWithoutItsValue) {
  const std::pair<std::string, std::string> endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT",
                                                        "http://c:4318"};
  const std::pair<std::map<std::string, std::string>, std::string> rows[] = {
      {{{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"}},
       "OTEL_EXPORTER_OTLP_ENDPOINT: allowed: http://"},
      {{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http:///v1"}}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
      {{{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://me:geheim@c/"}},
       "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: has credentials"},
      {{endpoint, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
       "OTEL_EXPORTER_OTLP_PROTOCOL: allowed: http/protobuf"},
      {{endpoint, {"OTEL_EXPORTER_OTLP_HEADERS", "geheim"}}, "OTEL_EXPORTER_OTLP_HEADERS"},
      {{endpoint, {"OTEL_EXPORTER_OTLP_HEADERS", "a=geheim%0d%0aHost: x"}},
       "OTEL_EXPORTER_OTLP_HEADERS"},
      {{endpoint, {"OTEL_EXPORTER_OTLP_HEADERS", "a=geheim%2"}}, "OTEL_EXPORTER_OTLP_HEADERS"},
      {{endpoint, {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"}}, "OTEL_EXPORTER_OTLP_TIMEOUT"},
      {{endpoint, {"OTEL_TRACES_EXPORTER", "zipkin"}}, "OTEL_TRACES_EXPORTER"}};
  for (const auto& [variables, message] : rows) {
    const absl::Status status = Read(variables).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("geheim")));
  }
}

}  // namespace
}  // namespace fpo::coordinator
