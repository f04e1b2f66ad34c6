// What Prometheus and Grafana see: the exposition format, and every query of the rules and the
// dashboards against series that exist. tests/deploy/prometheus_rules.py tests what the rules say,
// grafana_boards.py beside it the rest of the dashboards.

#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
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
      const bool ours = word.rfind("fpo_", 0) == 0 || word.rfind("grpc_server_", 0) == 0 ||
                        word.rfind("process_", 0) == 0;
      if (ours) names.insert(word);
      word.clear();
    }
  }
  return names;
}

// A histogram is declared once and has three series.
bool IsDeclared(const std::set<std::string>& declared, const std::string& series) {
  if (declared.count(series) != 0) return true;
  for (const char* suffix : {"_bucket", "_count", "_sum"}) {
    const std::string ending(suffix);
    if (series.size() <= ending.size()) continue;
    const size_t end = series.size() - ending.size();
    if (series.substr(end) == ending && declared.count(series.substr(0, end)) != 0) return true;
  }
  return false;
}

// Of `name{label="value"}` in an expression: the selectors whose label never has that value, though
// the metric has samples. A rule that asks for one never fires.
std::vector<std::string> NeverSelected(const std::string& expression,
                                       const std::string& exposition) {
  std::vector<std::string> found;
  const std::regex selector(R"re((fpo_\w+)\{([^}]*)\})re");
  const std::regex matcher(R"re((\w+)="([^"]*)")re");
  for (std::sregex_iterator at(expression.begin(), expression.end(), selector), end; at != end;
       ++at) {
    const std::string name = (*at)[1];
    const std::string labels = (*at)[2];
    if (exposition.find("\n" + name + "{") == std::string::npos) continue;
    for (std::sregex_iterator label(labels.begin(), labels.end(), matcher); label != end; ++label) {
      if ((*label)[1] == "job" || (*label)[1] == "instance") continue;  // Prometheus's own
      const std::regex sample("\n" + name + R"re(\{[^\n]*)re" + label->str());
      if (!std::regex_search(exposition, sample)) found.push_back(name + "{" + label->str() + "}");
    }
  }
  return found;
}

TEST(Queries, AreReadAsPrometheusReadsThem) {
  const std::string exposition =
      "# TYPE fpo_jobs gauge\nfpo_jobs{state=\"QUEUED\"} 1\n"
      "# TYPE fpo_wait_seconds histogram\nfpo_wait_seconds_count 2\n";
  const std::set<std::string> declared = Declared(exposition);
  EXPECT_EQ(Queried("sum by (le) (rate(fpo_wait_seconds_bucket[1h])) > on (job) fpo_jobs"),
            (std::set<std::string>{"fpo_jobs", "fpo_wait_seconds_bucket"}));
  EXPECT_TRUE(IsDeclared(declared, "fpo_wait_seconds_bucket"));
  EXPECT_FALSE(IsDeclared(declared, "fpo_waits_bucket"));
  EXPECT_TRUE(NeverSelected(R"(fpo_jobs{job="x",state="QUEUED"} > 0)", exposition).empty());
  EXPECT_EQ(NeverSelected(R"(fpo_jobs{job="x",state="WAITING"} > 0)", exposition),
            std::vector<std::string>{R"(fpo_jobs{state="WAITING"})"});
}

// With a webhook and a pool, whose series exist only where there are some.
std::vector<std::string> CoordinatorFlags() {
  const auto file = [](const std::string& name, const std::string& text) {
    const std::string path = ::testing::TempDir() + "/metrics-" + std::to_string(getpid()) + name;
    std::ofstream(path) << text;
    return path;
  };
  return {
      "--webhooks",
      file(".hooks.yaml", "hooks:\n- {name: ops, url: 'http://127.0.0.1:9/', events: [failed]}\n"),
      "--provision",
      file(".pools.yaml",
           "pools:\n- {name: b, engine: command, max_workers: 1, ask_after: 1h, "
           "command: {argv: [/bin/false]}}\n")};
}

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    service_.StartAll();
    // A call is counted under its method, so there is nothing to see before the first one.
    EXPECT_EQ(service_.Ctl({"list"}).code, 0);
  }
  // What all programs show together.
  std::string Exposition() {
    std::string text;
    for (const char* program : {"coordinator", "cache", "worker"}) {
      text += "\n" + service_.Http(program, "/metrics");
    }
    return text;
  }
  // How many series of ours `expression` queries; each one must exist.
  static size_t CheckQueries(const std::string& expression, const std::string& exposition,
                             const std::string& where) {
    const std::set<std::string> declared = Declared(exposition);
    const std::set<std::string> queried = Queried(expression);
    for (const std::string& name : queried) {
      EXPECT_TRUE(IsDeclared(declared, name)) << where << " queries " << name;
    }
    for (const std::string& selector : NeverSelected(expression, exposition)) {
      ADD_FAILURE() << where << " selects " << selector << ", which no program shows";
    }
    return queried.size();
  }
  LocalService service_{
      LocalService::Settings{.trainer = "fake", .coordinator_flags = CoordinatorFlags()}};
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
  const std::string exposition = Exposition();
  for (const auto& entry :
       std::filesystem::directory_iterator(Environment("FPO_SOURCE_DIR") + "/deploy/grafana")) {
    std::ifstream in(entry.path());
    const json dashboard = json::parse(in);
    size_t queries = 0;
    for (const json& panel : dashboard["panels"]) {
      for (const json& target : panel.value("targets", json::array())) {
        queries += CheckQueries(target["expr"].get<std::string>(), exposition, entry.path());
      }
    }
    for (const json& variable : dashboard["templating"]["list"]) {
      CheckQueries(variable["query"].get<std::string>(), exposition, entry.path());
    }
    EXPECT_GT(queries, 10u);
  }
}

TEST_F(MetricsTest, EveryRuleNamesAMetricThatExists) {
  const std::string exposition = Exposition();
  for (const char* name : {"alerts.yml", "recording.yml"}) {
    const std::string file = Environment("FPO_SOURCE_DIR") + "/deploy/prometheus/" + name;
    EXPECT_GT(CheckQueries(ReadFile(file), exposition, file), 4u);
  }
}

// An agent with a library that plays NVML, in the place where it looks for the driver's.
TEST(WorkerMetrics, SayWhatTheDriverMeasuresAndWhetherTheTokenCanBeRead) {
  LocalService service({.trainer = "fake"});
  service.Start("coordinator");
  service.Start("cache");
  namespace fs = std::filesystem;
  fs::create_symlink(FPO_FAKE_NVML_LIBRARY, service.Path("libnvidia-ml.so.1"));
  std::ofstream(service.Path("used")) << "300 200";
  std::ofstream(service.Path("token")) << std::string(64, 'a') << "\n";
  fs::permissions(service.Path("token"), fs::perms::owner_read | fs::perms::owner_write);
  service.SetEnvironment(
      "gpus", {"LD_LIBRARY_PATH=" + service.Path(""), "FPO_FAKE_NVML=" + service.Path("used")});
  service.StartWorker("gpus",
                      {"--device=cuda", "--token-file", service.Path("token"), "--allow-root"});
  const auto await = [&](const std::string& line) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    std::string text;
    while (absl::Now() < deadline) {
      text = service.Http("gpus", "/metrics");
      if (text.find("\n" + line + "\n") != std::string::npos) return;
      absl::SleepFor(absl::Milliseconds(50));
    }
    ADD_FAILURE() << "no " << line << " in\n" << text;
  };
  await(R"(fpo_gpu_utilisation_ratio{gpu="0",uuid="GPU-00000000"} 0.97)");
  await(R"(fpo_gpu_held{gpu="0",uuid="GPU-00000000"} 0)");
  await("fpo_gpu_driver_answers 1");
  await("fpo_agent_token_file_ok 1");
  EXPECT_EQ(service.Http("gpus", "/metrics").find("GPU-00000001"), std::string::npos)
      << "no slot has it";
  const std::string job = service.WriteFakeJob("held", "steps-100000-20-5");
  ASSERT_EQ(service.Ctl({"submit", job}).code, 0);
  await(R"(fpo_gpu_held{gpu="0",uuid="GPU-00000000"} 1)");
  fs::remove(service.Path("token"));
  await("fpo_agent_token_file_ok 0");
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
