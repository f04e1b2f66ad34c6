#include "worker/flags.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

class WorkerFlagsTest : public ::testing::Test {
 protected:
  WorkerFlagsTest() {
    fpo::testing::WriteWhole(trainer_, "#!/bin/sh\n");
    chmod(trainer_.c_str(), 0755);
  }
  absl::StatusOr<ParsedFlags<WorkerConfig>> Parse(std::vector<std::string> words) {
    words.insert(words.begin(), "fpo-worker");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    return ParseFlags(static_cast<int>(argv.size()), argv.data());
  }
  // With the flags that have no default.
  absl::StatusOr<ParsedFlags<WorkerConfig>> ParseMore(std::vector<std::string> words) {
    words.insert(words.end(), {"--work-dir", folder_ / "work", "--trainer", trainer_});
    return Parse(words);
  }
  std::string Error(const std::vector<std::string>& words) {
    const auto flags = ParseMore(words);
    EXPECT_EQ(flags.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(flags.status().message());
  }

  fpo::testing::TempFolder folder_;
  const std::string trainer_ = folder_ / "fpo-train";
};

TEST_F(WorkerFlagsTest, DefaultsAreThoseOfTheReadme) {
  const auto flags = ParseMore({});
  ASSERT_TRUE(flags.ok()) << flags.status();
  const WorkerConfig& config = flags->config;
  EXPECT_EQ(config.coordinator, "127.0.0.1:7070");
  EXPECT_EQ(config.cache, "127.0.0.1:7080");
  EXPECT_EQ(config.listen.http, "127.0.0.1:7091");
  EXPECT_EQ(config.slots, 1);
  EXPECT_EQ(config.device, "auto");
  EXPECT_EQ(config.grace, absl::Seconds(30));
  EXPECT_FALSE(config.name.empty());
  EXPECT_FALSE(config.environment.empty());
}

TEST_F(WorkerFlagsTest, AJobOfAnotherMachineStaysBelowRoots) {
  EXPECT_TRUE(ParseMore({"--coordinator", "localhost:7070"}).ok());
  EXPECT_THAT(Error({"--coordinator", "hub:7070"}), HasSubstr("--output-root DIR"));
  EXPECT_THAT(Error({"--coordinator", "127.evil.example:7070"}), HasSubstr("--root DIR"));
  EXPECT_THAT(Error({"--root", "models"}), HasSubstr("not an absolute path"));
  const auto flags = ParseMore({"--coordinator", "hub:7070", "--root", folder_.path(), "--root",
                                "/srv", "--output-root", "/none"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.roots.size(), 2u);
  EXPECT_THAT(std::string(flags->config.CheckRoots().message()), HasSubstr("/none"));
}

TEST_F(WorkerFlagsTest, JudgesAreUrlsWithTheirKeys) {
  const auto flags = ParseMore(
      {"--judge", "https://host/v1/=/etc/fpo/key=1", "--judge", "http://127.0.0.1:8000/v1"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  const std::map<std::string, std::string> servers = {{"https://host/v1", "/etc/fpo/key=1"},
                                                      {"http://127.0.0.1:8000/v1", ""}};
  EXPECT_EQ(flags->config.JudgeServers(), servers);
  EXPECT_THAT(Error({"--judge", "host/v1"}), HasSubstr("--judge: \"host/v1\" is not a URL"));
  EXPECT_THAT(Error({"--judge", "https://host/v1=key"}), HasSubstr("the absolute path of its key"));
}

TEST_F(WorkerFlagsTest, JobsDoNotRunAsRootUnlessSomeoneSaysSo) {
  WorkerConfig config = ParseMore({})->config;
  EXPECT_TRUE(config.CheckUser(/*is_root=*/true).ok()) << "a trial on one machine";
  config.token_file = "worker.token";
  EXPECT_THAT(std::string(config.CheckUser(true).message()), HasSubstr("--allow-root"));
  EXPECT_TRUE(config.CheckUser(false).ok());
  config.allow_root = true;
  EXPECT_TRUE(config.CheckUser(true).ok());
  config = ParseMore({"--coordinator", "hub:7070", "--root", "/srv"})->config;
  EXPECT_FALSE(config.CheckUser(true).ok());
}

// The words after fpo-worker in the code blocks of docs/operations.md, one command each; what a
// shell would replace is left as a name.
std::vector<std::vector<std::string>> DocumentedCommands() {
  std::ifstream page(std::string(getenv("FPO_SOURCE_DIR")) + "/docs/operations.md");
  std::vector<std::vector<std::string>> commands;
  std::string command;
  bool block = false;
  for (std::string line; std::getline(page, line);) {
    if (absl::StartsWith(line, "```")) block = !block;
    absl::StrAppend(&command, absl::StripSuffix(line, "\\"));
    if (absl::EndsWith(line, "\\")) continue;
    const size_t found = command.find("fpo-worker ");
    if (block && found != std::string::npos) {
      command = command.substr(found + 10, command.find(" #") - found - 10);
      commands.push_back(absl::StrSplit(
          absl::StrReplaceAll(command, {{"\"", ""}, {"$(", ""}, {")", ""}, {"$", ""}}), ' ',
          absl::SkipEmpty()));
    }
    command.clear();
  }
  return commands;
}

TEST_F(WorkerFlagsTest, TakesEveryFlagOfTheDocumentedCommands) {
  const auto commands = DocumentedCommands();
  EXPECT_GT(commands.size(), 4u);
  for (std::vector<std::string> words : commands) {
    words.insert(words.end(), {"--trainer", trainer_, "--check-config"});
    const auto flags = Parse(words);
    // The certificates are not on this machine.
    EXPECT_TRUE(flags.ok() || absl::StrContains(flags.status().message(), ".pem"))
        << absl::StrJoin(words, " ") << ": " << flags.status();
  }
}

TEST_F(WorkerFlagsTest, ReadsFlagsAndFile) {
  const std::string file = folder_ / "worker.toml";
  fpo::testing::WriteWhole(file, "slots = 3\nname = \"from-file\"\n");
  const auto flags = ParseMore({"--config", file, "--name", "w1", "--grace", "1m30s"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.slots, 3);
  EXPECT_EQ(flags->config.name, "w1") << "the command line wins";
  EXPECT_EQ(flags->config.grace, absl::Seconds(90));
  fpo::testing::WriteWhole(file, "slot = 3\n");
  EXPECT_EQ(Error({"--config", file}), file + ":1: slot: unknown key; did you mean slots?");
}

TEST_F(WorkerFlagsTest, AddressesMayBeNamedAsFpoctlDoes) {
  const std::string file = folder_ / "worker.toml";
  fpo::testing::WriteWhole(file, "cache-server = \"c:2\"\n");
  const auto flags = ParseMore({"--server", "a:1", "--config", file, "--root", "/srv"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.coordinator, "a:1");
  EXPECT_EQ(flags->config.cache, "c:2");
}

TEST_F(WorkerFlagsTest, MistakesAreNamed) {
  EXPECT_THAT(Error({"--slots", "0"}), HasSubstr("--slots"));
  EXPECT_THAT(Error({"--name", "../x"}), HasSubstr("--name: \"../x\" must be"));
  EXPECT_THAT(Error({"--grace", "soon"}), HasSubstr("soon"));
  EXPECT_THAT(Error({"--device", "tpu"}), HasSubstr("tpu"));
  EXPECT_THAT(Error({"--coordinator", "nowhere"}), HasSubstr("--coordinator: \"nowhere\""));
  EXPECT_THAT(Error({"--cache", "127.0.0.1:0"}), HasSubstr("--cache: "));
  EXPECT_THAT(Error({"--label", "a b=c"}), HasSubstr("must be NAME=VALUE"));
  EXPECT_THAT(Error({"--http", "0.0.0.0:80"}), HasSubstr("0.0.0.0:80"));
  EXPECT_THAT(Error({"--cgroup", "relative"}), HasSubstr("--cgroup"));
  EXPECT_THAT(Error({"--cgroup", "off", "--memory-max-mib", "5"}), HasSubstr("--memory-max-mib"));
  EXPECT_THAT(Error({"--device-idle-mib", "-1"}), HasSubstr("--device-idle-mib"));
  EXPECT_THAT(Error({"--frobnicate"}), HasSubstr("frobnicate"));
  const auto no_trainer = Parse({"--work-dir", folder_.path(), "--trainer", folder_ / "none"});
  EXPECT_THAT(std::string(no_trainer.status().message()), HasSubstr("none"));
  EXPECT_THAT(std::string(Parse({"--trainer", trainer_}).status().message()),
              HasSubstr("--work-dir"));
}

TEST_F(WorkerFlagsTest, HelpAndVersionAreTexts) {
  EXPECT_THAT(Parse({"--help"})->text.value_or(""), HasSubstr("--coordinator"));
  EXPECT_THAT(Parse({"--version"})->text.value_or(""), HasSubstr("fpo-worker "));
}

TEST_F(WorkerFlagsTest, RelativePathsBecomeAbsolute) {
  const auto flags = Parse({"--work-dir", "work", "--trainer", trainer_});
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags->config.work_dir.front(), '/');
}

}  // namespace
}  // namespace fpo::worker
