#include "tests/chaos/load/envoy_front.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/load/raw_http2.h"
#include "tests/chaos/service_chaos.h"

namespace fpo::testing {
namespace {

std::string PortOf(const std::string& address) { return address.substr(address.rfind(':') + 1); }

// Without what lies between the two, and without the first.
std::string Without(std::string text, const std::string& from, const std::string& to) {
  const size_t begin = text.find(from);
  const size_t end = text.find(to, begin);
  EXPECT_NE(begin, std::string::npos) << from;
  EXPECT_NE(end, std::string::npos) << to;
  return text.erase(begin, end - begin);
}

}  // namespace

bool EnvoyFront::IsThere() { return !Environment("FPO_ENVOY").empty(); }

EnvoyFront::EnvoyFront(LocalService* service, bool tls) : folder_(service->Path("envoy")) {
  std::filesystem::create_directories(folder_);
  const std::string make = "cd " + folder_ +
                           " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                           "-nodes -keyout server.key -out server.pem -days 2 -subj /CN=localhost "
                           "-addext subjectAltName=DNS:localhost,IP:127.0.0.1";
  if (tls) {
    EXPECT_EQ(RunProgram({"/bin/sh", "-c", make}).code, 0);
  }
  const std::string ports[] = {std::to_string(FreePort()), std::to_string(FreePort()),
                               std::to_string(FreePort())};
  coordinator_ = "localhost:" + ports[0];
  cache_ = "localhost:" + ports[1];
  std::string config = ReadFile(Environment("FPO_SOURCE_DIR") + "/deploy/envoy/envoy.yaml");
  config = absl::StrReplaceAll(
      config, {{"0.0.0.0", "127.0.0.1"},
               {"/etc/fpo", folder_},
               {"port_value: 7443", "port_value: " + ports[0]},
               {"port_value: 7444", "port_value: " + ports[1]},
               {"port_value: 7099", "port_value: " + ports[2]},
               {"port_value: 7070", "port_value: " + PortOf(service->GrpcAddress("coordinator"))},
               {"port_value: 7080", "port_value: " + PortOf(service->GrpcAddress("cache"))}});
  if (!tls) {
    config = Without(config, "          transport_socket: &tls", "          filters:");
    config = Without(config, "          transport_socket: *tls", "          filters:");
  }
  std::ofstream(folder_ + "/envoy.yaml") << config;
  process_.emplace(std::vector<std::string>{Environment("FPO_ENVOY"), "-c", folder_ + "/envoy.yaml",
                                            "--concurrency", "2", "-l", "error"},
                   std::vector<std::string>{}, folder_ + "/log");
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (absl::Now() < deadline && !RawHttp2("127.0.0.1:" + ports[0]).is_open()) {
    Pause(absl::Milliseconds(50));
  }
}

}  // namespace fpo::testing
