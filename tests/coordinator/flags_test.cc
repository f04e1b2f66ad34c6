#include "coordinator/flags.h"

#include <fstream>

#include "gtest/gtest.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

absl::StatusOr<CoordinatorFlags> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "fpo-coordinator");
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data());
}

std::string Error(const std::vector<const char*>& arguments) {
  return std::string(Parse(arguments).status().message());
}

TEST(Flags, DefaultsAreThePromisedOnes) {
  const CoordinatorConfig config = Parse({"--data", "d"}).value().config;
  EXPECT_EQ(config.listen.listen, "127.0.0.1:7070");
  EXPECT_EQ(config.listen.http, "127.0.0.1:7071");
  EXPECT_EQ(config.options.heartbeat, absl::Seconds(2));
  EXPECT_EQ(config.options.lease, absl::Seconds(15));
  EXPECT_EQ(config.options.reattach, absl::Seconds(60));
  EXPECT_EQ(config.options.cancel_grace, absl::Seconds(30));
}

TEST(Flags, TheCacheHasAnAddressAndPerhapsACertificate) {
  const auto flags = Parse({"--data", "d", "--cache", "cache:7080", "--cache-ca", "ca.pem"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.cache, "cache:7080");
  EXPECT_EQ(flags->config.cache_ca, "ca.pem");
  for (const char* wrong : {"cache", "cache:0", ":7080"}) {
    EXPECT_NE(Error({"--data", "d", "--cache", wrong}).find("--cache"), std::string::npos) << wrong;
  }
  EXPECT_NE(Error({"--data", "d", "--cache-ca", "ca.pem"}).find("--cache-ca"), std::string::npos);
}

TEST(Flags, EachIsRead) {
  const auto flags = Parse({"--data",
                            "d",
                            "--listen",
                            "127.0.0.1:0",
                            "--http",
                            "127.0.0.1:1",
                            "--port-file",
                            "p",
                            "--beat",
                            "200ms",
                            "--lease",
                            "3s",
                            "--reattach",
                            "5s",
                            "--cancel-grace",
                            "1m",
                            "--shutdown-grace",
                            "0s",
                            "--keep-logs",
                            "30d",
                            "--max-log-mib-per-job",
                            "64",
                            "--max-log-mib",
                            "0",
                            "--check-config"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.listen.port_file, "p");
  EXPECT_EQ(flags->config.options.heartbeat, absl::Milliseconds(200));
  EXPECT_EQ(flags->config.options.lease, absl::Seconds(3));
  EXPECT_EQ(flags->config.options.cancel_grace, absl::Minutes(1));
  EXPECT_EQ(flags->config.options.logs.keep, absl::Hours(24 * 30));
  EXPECT_EQ(flags->config.options.logs.job_bytes_max, 64 << 20);
  EXPECT_EQ(flags->config.options.logs.total_bytes_max, 0);
  EXPECT_EQ(flags->config.grace, absl::ZeroDuration());
  EXPECT_TRUE(flags->check_config);
}

TEST(Flags, HelpAndVersionAreText) {
  EXPECT_NE(Parse({"--help"}).value().text->find("--reattach"), std::string::npos);
  EXPECT_NE(Parse({"--help"}).value().text->find("status page"), std::string::npos);
  EXPECT_EQ(Parse({"--version"}).value().text->rfind("fpo-coordinator ", 0), 0u);
}

TEST(Flags, ErrorsNameTheFlagAndTheWayOut) {
  EXPECT_NE(Error({}).find("--data"), std::string::npos);
  EXPECT_EQ(Error({"--data", "d", "--dtaa", "e"}), "there is no flag --dtaa; did you mean --data?");
  EXPECT_NE(Error({"--data", "d", "--listen", "foo"}).find("--listen: \"foo\" is not HOST:PORT"),
            std::string::npos);
  EXPECT_NE(Error({"--data", "d", "--lease", "15"}).find("--lease"), std::string::npos);
  EXPECT_NE(Error({"--data", "d", "--lease", "15"}).find("15s"), std::string::npos);
  EXPECT_NE(Error({"--data", "d", "--beat", "6s"}).find("--lease"), std::string::npos)
      << "two lost heartbeats must not end a lease";
  EXPECT_NE(Error({"--data", "d", "--reattach", "1s"}).find("--reattach"), std::string::npos);
  EXPECT_NE(Error({"--data", "d", "--listen", "0.0.0.0:7070"}).find("--insecure"),
            std::string::npos);
  EXPECT_TRUE(Parse({"--data", "d", "--listen", "0.0.0.0:7070", "--insecure"}).ok());
}

TEST(Flags, WhereTracesGoIsReadFromTheEnvironment) {
  EXPECT_EQ(Parse({"--data", "d"})->config.traces.url, "");
  setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", 1);
  EXPECT_EQ(Parse({"--data", "d"})->config.traces.url, "http://127.0.0.1:4318/v1/traces");
  setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4317", 1);
  EXPECT_NE(Error({"--data", "d"}).find("OTEL_EXPORTER_OTLP_ENDPOINT"), std::string::npos);
  unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
}

TEST(Flags, TheConfigFileFillsWhatTheCommandLineLeavesOpen) {
  TempDir dir;
  const std::string file = dir.path() + "/coordinator.toml";
  std::ofstream(file) << "data = \"from-file\"\nlease = \"20s\"\nbeat = \"1s\"\n";
  const auto flags = Parse({"--config", file.c_str(), "--beat", "3s"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.data, "from-file");
  EXPECT_EQ(flags->config.options.lease, absl::Seconds(20));
  EXPECT_EQ(flags->config.options.heartbeat, absl::Seconds(3));
  std::ofstream(file) << "data = \"d\"\nlaese = \"20s\"\n";
  EXPECT_EQ(Error({"--config", file.c_str()}),
            file + ":2: laese: unknown key; did you mean lease?");
  std::ofstream(file) << "data = \"d\"\n\nlease = \"1ms\"\n";
  EXPECT_EQ(Error({"--config", file.c_str()}).rfind(file + ":3: --lease is 1ms, allowed", 0), 0u);
  std::ofstream(file) << "data = \"d\"\nquota = \"ada=4\"\n";
  EXPECT_EQ(Error({"--config", file.c_str()}).rfind(file + ":2: --quota: ", 0), 0u);
  EXPECT_FALSE(Parse({"--config", "/nowhere.toml"}).ok());
}

}  // namespace
}  // namespace fpo::coordinator
