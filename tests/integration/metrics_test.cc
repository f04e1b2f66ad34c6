// What Prometheus and Grafana see: the exposition format, and every query of the dashboard against
// names that exist.

#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

// Names declared by "# TYPE name kind" lines.
std::set<std::string> Declared(const std::string& exposition) {
  std::set<std::string> names;
  std::istringstream lines(exposition);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# TYPE ", 0) == 0) names.insert(line.substr(7, line.find(' ', 7) - 7));
  }
  return names;
}

// Words of a PromQL expression that look like our metrics.
std::set<std::string> Queried(const std::string& expression) {
  std::set<std::string> names;
  std::string word;
  for (char c : expression + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      word += c;
    } else {
      const bool ours = word.rfind("fpo_", 0) == 0 || word.rfind("grpc_server_", 0) == 0;
      if (ours) names.insert(word);
      word.clear();
    }
  }
  return names;
}

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    service_.StartAll();
    // A call is counted under its method, so there is nothing to see before the first one.
    EXPECT_EQ(service_.Ctl({"list"}).code, 0);
  }
  LocalService service_{LocalService::Settings{.trainer = "fake"}};
};

TEST_F(MetricsTest, ExpositionPassesPromtool) {
  for (const char* program : {"coordinator", "cache", "worker"}) {
    const std::string file = service_.Path(std::string(program) + ".prom");
    std::ofstream(file) << service_.Http(program, "/metrics");
    const Outcome outcome = RunProgram({"sh", "-c", "promtool check metrics < " + file});
    if (outcome.code == 127) GTEST_SKIP() << "promtool is not installed";
    EXPECT_EQ(outcome.code, 0) << program << ": " << outcome.out << outcome.err;
    EXPECT_FALSE(service_.Http(program, "/healthz").empty()) << program;
    EXPECT_FALSE(service_.Http(program, "/readyz").empty()) << program;
  }
}

TEST_F(MetricsTest, EveryDashboardQueryNamesAMetricThatExists) {
  std::set<std::string> declared;
  for (const char* program : {"coordinator", "cache", "worker"}) {
    declared.merge(Declared(service_.Http(program, "/metrics")));
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(Environment("FPO_SOURCE_DIR") + "/deploy/grafana")) {
    std::ifstream in(entry.path());
    const json dashboard = json::parse(in);
    size_t queries = 0;
    for (const json& panel : dashboard["panels"]) {
      for (const json& target : panel.value("targets", json::array())) {
        for (const std::string& name : Queried(target["expr"].get<std::string>())) {
          ++queries;
          EXPECT_TRUE(declared.count(name)) << entry.path() << " queries " << name;
        }
      }
    }
    EXPECT_GT(queries, 10u);
  }
}

TEST_F(MetricsTest, PrometheusConfigIsValid) {
  const Outcome outcome = RunProgram(
      {"promtool", "check", "config", Environment("FPO_SOURCE_DIR") + "/deploy/prometheus.yml"});
  if (outcome.code == 127) GTEST_SKIP() << "promtool is not installed";
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(Listening, AnotherAddressWithoutTlsIsRefused) {
  for (const char* program : {"coordinator", "cache"}) {
    const std::string binary = Environment("FPO_BIN_DIR") + "/fpo-" + program;
    const Outcome outcome = RunProgram({binary, "--listen", "0.0.0.0:0", "--http", "127.0.0.1:0",
                                        "--data", "/tmp/fpo-refused-" + std::string(program)},
                                       {}, absl::Seconds(20));
    EXPECT_NE(outcome.code, 0) << program;
    EXPECT_NE(outcome.err.find("--insecure"), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace fpo::testing
