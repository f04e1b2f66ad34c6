// fpoctl's commands against real programs; the trainer is a script, so that what is tested is the
// service.

#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/ctl/hint_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ControlTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    service_ = new LocalService({.trainer = "fake"});
    service_->StartAll();
  }
  static void TearDownTestSuite() {
    delete service_;
    service_ = nullptr;
  }

  static std::string Ok(const std::vector<std::string>& words) {
    const Outcome outcome = service_->Ctl(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  static void Submit(const std::string& name, const std::string& how,
                     std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"submit", service_->WriteFakeJob(name, how), "-q"};
    words.insert(words.end(), more.begin(), more.end());
    Ok(words);
  }
  static bool Reaches(const std::string& job, const std::string& state) {
    return service_
        ->Until(
            job, [&](const json& update) { return update.value("state", "") == state; },
            absl::Seconds(60))
        .has_value();
  }
  static bool ReachesStep(const std::string& job, int64_t step) {
    return service_
        ->Until(
            job,
            [&](const json& update) {
              const std::string at = update["progress"].value("step", "0");
              return std::stoll(at) >= step;
            },
            absl::Seconds(60))
        .has_value();
  }
  static std::string Weights(const std::string& job) {
    return ReadFile(service_->Path("runs/" + job + "/weights"));
  }

  static LocalService* service_;
};

LocalService* ControlTest::service_ = nullptr;

TEST_F(ControlTest, HoldReleaseAndDependencies) {
  Submit("first", "steps-3-1-0", {"--hold"});
  EXPECT_THAT(Ok({"explain", "first"}), HasSubstr("held: starts after fpoctl release"));
  Submit("second", "steps-3-1-0", {"--after-ok", "first"});
  EXPECT_THAT(Ok({"explain", "second", "--json"}), HasSubstr("\"state\":\"QUEUED\""));
  Ok({"release", "first"});
  EXPECT_TRUE(Reaches("second", "SUCCEEDED"));
}

TEST_F(ControlTest, PauseKeepsTheWorkAndResumeGoesOnFromIt) {
  Submit("unbroken", "steps-60-1-0");
  ASSERT_TRUE(Reaches("unbroken", "SUCCEEDED"));
  Submit("paused", "steps-60-20-10");
  ASSERT_TRUE(ReachesStep("paused", 12));
  EXPECT_THAT(Ok({"pause", "paused"}), HasSubstr("is PAUSING"));
  ASSERT_TRUE(Reaches("paused", "PAUSED"));
  const std::string id = service_->Describe("paused").value("job_id", "");
  EXPECT_TRUE(ProcessesWith("FPO_ATTEMPT=" + id).empty()) << "its slot is free";
  EXPECT_THAT(Ok({"workers", "list"}), HasSubstr("0/1"));
  Ok({"resume", "paused"});
  ASSERT_TRUE(Reaches("paused", "SUCCEEDED"));
  EXPECT_EQ(Weights("paused"), Weights("unbroken")) << "no step lost, none made twice";
  const json job = service_->Describe("paused");
  EXPECT_EQ(job["restarts_used"], 0);
  EXPECT_EQ(job["attempts"].size(), 2u);
  EXPECT_EQ(job["attempts"][0]["end_class"], "asked");
}

TEST_F(ControlTest, AnUrgentJobPreemptsAndTheOtherGoesOnLater) {
  Submit("low", "steps-80-20-10");
  ASSERT_TRUE(ReachesStep("low", 5));
  Submit("urgent", "steps-3-1-0", {"--priority", "900"});
  ASSERT_TRUE(Reaches("urgent", "SUCCEEDED"));
  ASSERT_TRUE(Reaches("low", "SUCCEEDED"));
  const json low = service_->Describe("low");
  EXPECT_EQ(low["attempts"].size(), 2u);
  EXPECT_THAT(low["attempts"][0].value("end_message", ""), HasSubstr("preempted: its slots go to"));
  EXPECT_EQ(low["restarts_used"], 0);
}

TEST_F(ControlTest, DrainMovesJobsAwayAndUndrainBringsThemBack) {
  Submit("moved", "steps-40-20-10");
  ASSERT_TRUE(ReachesStep("moved", 3));
  Ok({"workers", "drain", "w1", "--note", "new disk"});
  ASSERT_TRUE(Reaches("moved", "QUEUED"));
  EXPECT_THAT(Ok({"workers", "list"}), HasSubstr("drained"));
  service_->Kill("coordinator");
  service_->Start("coordinator");
  EXPECT_THAT(Ok({"workers", "list", "--json"}), ::testing::Not(HasSubstr("\"ready\"")));
  ASSERT_TRUE(Reaches("moved", "QUEUED"));
  // The agent dials in again within its back-off.
  while (service_->Ctl({"workers", "undrain", "w1"}).code != 0) {
  }
  EXPECT_TRUE(Reaches("moved", "SUCCEEDED"));
}

TEST_F(ControlTest, CheckpointsArePinnedCollectedAndTriedAgainFrom) {
  Submit("broken", "steps-30-1-5",
         {"--set", "retry.max_restarts=0", "--set", "checkpoint.keep_last=9"});
  ASSERT_TRUE(Reaches("broken", "SUCCEEDED"));
  const std::string wanted = Weights("broken");
  Submit("again", "steps-60-20-5", {"--set", "checkpoint.keep_last=9"});
  ASSERT_TRUE(ReachesStep("again", 21));
  Ok({"cancel", "again", "--now"});
  ASSERT_TRUE(Reaches("again", "CANCELLED"));
  const std::string old = service_->Describe("again").value("job_id", "");
  EXPECT_THAT(Ok({"ckpt", "list", "again", "-q"}), HasSubstr("checkpoints/step-10\n"));
  Ok({"ckpt", "pin", "again", "5"});
  EXPECT_THAT(Ok({"ckpt", "gc", "again", "--dry-run"}), HasSubstr("pinned"));
  const std::string retried = std::string(absl::StripAsciiWhitespace(
      Ok({"retry", "again", "--from", "10", "--set", "labels.run=steps-30-1-5", "-q"})));
  ASSERT_TRUE(Reaches(retried, "SUCCEEDED"));
  EXPECT_EQ(Weights("again"), wanted) << "it went back to step 10 and on to 30";
  EXPECT_EQ(service_->Describe(retried).value("retry_of", ""), old);
  EXPECT_THAT(Ok({"logs", retried, "-q"}), HasSubstr("goes on from step 10\n"));
}

TEST_F(ControlTest, NumbersQueueAndPreviewAreShown) {
  Submit("numbers", "steps-20-1-0");
  ASSERT_TRUE(Reaches("numbers", "SUCCEEDED"));
  EXPECT_THAT(Ok({"metrics", "numbers", "--name", "loss", "--plot"}), HasSubstr("loss  last 0.05"));
  EXPECT_THAT(Ok({"metrics", "numbers"}), HasSubstr("STEP  loss"));
  const json series = json::parse(Ok({"metrics", "numbers", "--json"}))["series"];
  EXPECT_EQ(series[0]["steps"].size(), 20u);
  EXPECT_THAT(Ok({"submit", service_->WriteFakeJob("next", "steps-3-1-0"), "--dry-run"}),
              HasSubstr("fit       would start at once on w1"));
  Submit("runs", "steps-1000-10-0");
  ASSERT_TRUE(ReachesStep("runs", 2));
  Submit("waits", "steps-3-1-0");
  const auto none = service_->Ctl({"metrics", "waits"});
  EXPECT_EQ(none.code, 4);
  EXPECT_THAT(none.err,
              HasSubstr("has no numbers yet: they begin with the first step; it is QUEUED"));
  EXPECT_THAT(none.err, HasSubstr("hint: fpoctl watch j-"));
  const json queue = json::parse(Ok({"queue", "--json"}));
  EXPECT_EQ(queue["waiting"][0]["job"]["name"], "waits");
  EXPECT_TRUE(queue["waiting"][0].contains("start_estimate")) << "from the pace of what runs";
  EXPECT_THAT(Ok({"explain", "waits"}), HasSubstr("worker w1: 0 of 1 slots free"));
  EXPECT_EQ(service_->Ctl({"wait", "runs", "--timeout", "1s"}).code, 12);
  EXPECT_THAT(Ok({"logs", "runs", "--rank", "0", "--tail", "1", "-q"}), HasSubstr("step "));
  EXPECT_EQ(Ok({"logs", "runs", "--rank", "7"}), "");
  Ok({"cancel", "runs", "--now"});
  EXPECT_TRUE(Reaches("waits", "SUCCEEDED"));
}

// A row of docs/cli.md: a command line in the folder of the test, its exit code, and what it says
// on standard error, where … stands for anything.
struct Wrong {
  std::string command;
  int code = 0;
  std::string says;
};

std::vector<Wrong> WrongInputs() {
  const std::string root = getenv("FPO_SOURCE_DIR");
  std::istringstream lines(ReadFile(root + "/docs/cli.md"));
  std::vector<Wrong> rows;
  bool in_table = false;
  for (std::string line; std::getline(lines, line);) {
    if (absl::StartsWith(line, "#")) in_table = absl::StrContains(line, "Wrong input");
    const bool is_row = absl::StartsWith(line, "| `fpoctl") || absl::StartsWith(line, "| `XDG_") ||
                        absl::StartsWith(line, "| `FPO_");
    if (!in_table || !is_row) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    const auto bare = [](absl::string_view cell) {
      cell = absl::StripAsciiWhitespace(cell);
      (void)absl::ConsumePrefix(&cell, "`");
      (void)absl::ConsumeSuffix(&cell, "`");
      return std::string(cell);
    };
    rows.push_back({bare(cells.at(1)), std::stoi(bare(cells.at(2))), bare(cells.at(3))});
  }
  return rows;
}

bool MatchesPattern(const std::string& text, const std::string& pattern) {
  size_t at = 0;
  bool anything = false;
  for (const absl::string_view part : absl::StrSplit(pattern, "…")) {
    const size_t found = text.find(std::string(part), at);
    if (found == std::string::npos || (!anything && found != at)) return false;
    at = found + part.size();
    anything = true;
  }
  return at == text.size() || absl::EndsWith(pattern, "…");
}

// A coordinator that asks who calls. In the folder of the test are the tokens of ana, who has the
// job `theirs`, and of bob.
std::unique_ptr<LocalService> StartGuarded(const LocalService& here) {
  const std::string access = here.Path("access.json");
  const std::string fpoctl = std::string(getenv("FPO_BIN_DIR")) + "/fpoctl";
  for (const std::string name : {"ana", "bob"}) {
    const Outcome made = RunProgram(
        {fpoctl, "token", "create", name, "--access", access, "--out", here.Path(name + ".token")});
    EXPECT_EQ(made.code, 0) << made.err;
  }
  LocalService::Settings settings;
  settings.coordinator_flags = {"--access", access};
  auto service = std::make_unique<LocalService>(settings);
  service->Start("coordinator");
  const Outcome sent = service->Ctl({"submit", here.Path("job.yaml"), "--name", "theirs",
                                     "--token-file", here.Path("ana.token")});
  EXPECT_EQ(sent.code, 0) << sent.err;
  return service;
}

// A coordinator whose small file system filled up after its start, and the end of both.
class FullCoordinator {
 public:
  FullCoordinator() {
    const std::string data = service_.Path("coordinator");
    std::filesystem::create_directories(data);
    mounted_ = mount("tmpfs", data.c_str(), "tmpfs", 0, "size=288m") == 0;
    if (!mounted_) return;
    service_.Start("coordinator");
    // It keeps 256 MiB for what must go on: the rest of this file system is less.
    std::ofstream(data + "/filler") << std::string(64 << 20, 'x');
  }
  ~FullCoordinator() {
    if (!mounted_) return;
    service_.Kill("coordinator");
    umount(service_.Path("coordinator").c_str());
  }
  // Empty where a file system cannot be mounted: that needs root.
  std::string Address() const { return mounted_ ? service_.GrpcAddress("coordinator") : ""; }

 private:
  LocalService service_;
  bool mounted_ = false;
};

TEST_F(ControlTest, WrongInputsSayWhatTheDocumentationSays) {
  Submit("done", "steps-3-1-0");
  ASSERT_TRUE(Reaches("done", "SUCCEEDED"));
  Submit("waiting", "steps-3-1-0", {"--hold"});
  service_->WriteFakeJob("job", "steps-3-1-0");
  Ok({"submit", service_->Path("job.yaml"), "--hold", "--request-id", "used-1", "--set", "name=a"});
  std::ofstream(service_->Path("bad.yaml")) << "name: tiny\noptimizer: {lr: fast}\nepoch: 3\n";
  std::filesystem::create_directories(service_->Path("wrong/fpo"));
  std::ofstream(service_->Path("wrong/fpo/config.yaml")) << "contexts:\n  lab:\n    sever: a:1\n";
  const auto guarded = StartGuarded(*service_);
  std::filesystem::copy_file(service_->Path("access.json"), service_->Path("taken.json"));
  std::filesystem::copy_file(service_->Path("bob.token"), service_->Path("open.token"));
  std::filesystem::permissions(service_->Path("open.token"), std::filesystem::perms(0644));
  std::ofstream(service_->Path("wrong.token")) << "fpo_0123456789\n";
  std::filesystem::permissions(service_->Path("wrong.token"), std::filesystem::perms(0600));
  const FullCoordinator full;
  const std::vector<Wrong> rows = WrongInputs();
  EXPECT_GE(rows.size(), 40u);
  const std::pair<std::string, std::string> places[] = {
      {service_->GrpcAddress("coordinator"), "HOST:PORT"},
      {guarded->GrpcAddress("coordinator"), "GUARDED"},
      {full.Address().empty() ? "-" : full.Address(), "FULL"}};
  for (const Wrong& row : rows) {
    if (full.Address().empty() && absl::StrContains(row.command, "FULL")) continue;
    std::string command = row.command;
    for (const auto& [address, word] : places) {
      command = absl::StrReplaceAll(command, {{word, address}});
    }
    const std::string line = absl::StrCat(
        "cd ", service_->Path(""), " && PATH=", getenv("FPO_BIN_DIR"), ":$PATH && ", command);
    const Outcome outcome =
        RunProgram({"/bin/sh", "-c", line}, {"FPO_SERVER=" + service_->GrpcAddress("coordinator"),
                                             "XDG_CONFIG_HOME=" + service_->Path("config")});
    EXPECT_EQ(outcome.code, row.code) << row.command << "\n" << outcome.err;
    std::string said =
        absl::StrReplaceAll(std::string(absl::StripAsciiWhitespace(outcome.err)), {{"\n", " / "}});
    for (const auto& [address, word] : places) {
      said = absl::StrReplaceAll(said, {{address, word}});
    }
    ctl::ExpectUsefulHints(
        outcome.err, ctl::ShellWords(row.command.substr(std::min(row.command.size(), size_t{7}))));
    EXPECT_TRUE(MatchesPattern(said, row.says))
        << row.command << "\n  says      " << said << "\n  documents " << row.says;
  }
}

}  // namespace
}  // namespace fpo::testing
