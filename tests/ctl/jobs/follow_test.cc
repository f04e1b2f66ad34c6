// submit, watch, wait and logs against a scripted coordinator.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "common/wire/enums.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> LinesOf(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

class FollowTest : public CommandRun {
 protected:
  void Script(std::vector<pb::JobState> states, const absl::Status& end = absl::OkStatus(),
              bool hold = false) {
    FakeCoordinator::WatchScript script;
    for (const pb::JobState state : states) script.jobs.push_back(SampleMessage("j-1001", state));
    script.end = end;
    script.hold = hold;
    coordinator_.AddWatch(std::move(script));
  }
  void AddRunningJob() { coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING)); }
};

TEST_F(FollowTest, SubmitTakesLabelsDependenciesAndAShortTrial) {
  const Result result = Run({"submit", WriteJob(), "--label", "team=a", "--label", "smoke=no",
                             "--after", "j-7", "--after-ok", "j-8", "--smoke"});
  EXPECT_EQ(result.code, 0) << result.err;
  const pb::SubmitRequest request = coordinator_.submits().at(0);
  EXPECT_EQ(request.after_end(0), "j-7");
  EXPECT_EQ(request.after_ok(0), "j-8");
  const json config = json::parse(request.spec().config_json());
  EXPECT_EQ(config["labels"]["team"], "a");
  EXPECT_EQ(config["labels"]["smoke"], "yes");
  EXPECT_EQ(config["name"], "tiny-fpo-smoke");
  EXPECT_EQ(config["output"], folder_ + "/runs/fpo-smoke");
  EXPECT_EQ(config["max_steps"], 2);
  EXPECT_EQ(config["data"]["max_pairs"], 64) << "two batches";
  EXPECT_EQ(config["checkpoint"]["every_steps"], 2);
  EXPECT_EQ(config["evaluate"]["pairs"], 32) << "one batch";
  const std::vector<std::string> advice =
      JobWarnings(ReadJobJson(request.spec().config_json()).value());
  EXPECT_THAT(advice, ::testing::Not(::testing::Contains(HasSubstr("warm-up"))))
      << "it was not the user who chose two steps";
}

TEST_F(FollowTest, SubmitWarnsOfAnOutputFolderThatIsTakenAsFarAsItIsSeenFromHere) {
  const std::string file = WriteJob();
  Run({"submit", file});
  JobConfig job = ReadJobJson(coordinator_.submits().at(0).spec().config_json()).value();
  const std::string folder = folder_ + "/runs/fpo";
  std::filesystem::remove_all(folder);  // of a run of this test before
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/job.yaml") << WriteJobYaml(job);
  EXPECT_THAT(Run({"submit", file}).err, Not(HasSubstr("output folder"))) << "it continues there";
  EXPECT_THAT(Run({"submit", file, "--set", "seed=7"}).err,
              AllOf(HasSubstr("warning: output folder "), HasSubstr("seed: 7 here, 42 in the")));
  std::ofstream(folder + "/run.json") << "{\"finished\": true}";
  EXPECT_THAT(Run({"submit", file}).err, HasSubstr("nothing is trained"));
  EXPECT_THAT(Run({"submit", file, "--set", "output=" + folder_ + "/runs/new"}).err,
              Not(HasSubstr("output folder")));
}

TEST_F(FollowTest, SubmitFollowPrintsTheLinesAndEndsAsTheJob) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
  pb::LogLine line;
  line.set_cursor(1);
  line.set_text("step 1");
  coordinator_.AddLogs({.answers = {{line}}, .jobs_become = pb::JOB_STATE_FAILED});
  Script({pb::JOB_STATE_FAILED});
  const Result result = Run({"submit", WriteJob(), "-f", "-q"});
  EXPECT_EQ(result.code, 10) << result.err;
  EXPECT_EQ(result.out, "step 1\n") << "the id is on standard error";
  EXPECT_THAT(result.err, HasSubstr("j-1001"));
  EXPECT_EQ(Run({"submit", WriteJob(), "-f", "--wait"}).code, 2);
}

TEST_F(FollowTest, SubmitSendsTheEffectiveJobWithAbsolutePaths) {
  const Result result = Run({"submit", WriteJob(), "--set", "method.alpha=2"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out,
            "job j-1001 submitted\n"
            "  follow    fpoctl watch j-1001\n"
            "  cancel    fpoctl cancel j-1001\n"
            "  describe  fpoctl describe j-1001\n");
  ASSERT_EQ(coordinator_.submits().size(), 1u);
  const pb::SubmitRequest request = coordinator_.submits()[0];
  EXPECT_THAT(request.request_id(),
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_EQ(request.spec().owner(), "ann");
  const json config = json::parse(request.spec().config_json());
  EXPECT_EQ(config["method"]["alpha"], 2.0);
  EXPECT_EQ(config["model"]["path"], folder_ + "/sft/model");
  EXPECT_EQ(config["reference"]["path"], folder_ + "/sft/model");
  EXPECT_EQ(config["data"]["train"][0], folder_ + "/data/train.jsonl");
  EXPECT_EQ(config["output"], folder_ + "/runs/fpo");
  EXPECT_THAT(config["sae"].dump(), HasSubstr("\"/saes/params.npz\"")) << "absolute paths stay";
}

TEST_F(FollowTest, SubmitOutputForPrograms) {
  const std::string path = WriteJob();
  EXPECT_EQ(Run({"submit", path, "-q"}).out, "j-1001\n");
  EXPECT_EQ(json::parse(Run({"submit", path, "--json"}).out)["job_id"], "j-1002");
  EXPECT_NE(coordinator_.submits()[0].request_id(), coordinator_.submits()[1].request_id());
}

TEST_F(FollowTest, SubmitRepeatsALostAnswerWithTheSameRequestId) {
  coordinator_.LoseAnswers(6);  // more than gRPC repeats by itself
  const Result result = Run({"submit", WriteJob(), "-q"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "j-1001\n");
  EXPECT_EQ(coordinator_.jobs_stored(), 1);
  ASSERT_GE(coordinator_.submits().size(), 7u);
  for (const pb::SubmitRequest& request : coordinator_.submits()) {
    EXPECT_EQ(request.request_id(), coordinator_.submits()[0].request_id());
  }
}

TEST_F(FollowTest, SubmitThatStaysLostNamesItsRequestId) {
  coordinator_.Stop();
  times_.submit_repeat_for = absl::Milliseconds(20);
  const std::string path = WriteJob();
  const Result result = Run({"submit", path, "--request-id", "my-id"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("request id my-id may or may not have been stored"));
  EXPECT_THAT(result.err, HasSubstr("; the same line again stores nothing twice\n"));
  const Result unnamed = Run({"submit", path, "--set", "method.beta=2"});
  EXPECT_THAT(unnamed.err, HasSubstr(absl::StrCat("to store nothing twice: fpoctl submit ", path,
                                                  " --set method.beta=2 --request-id ")))
      << "with all that was typed, else it would be another job";
  coordinator_.Start();
  EXPECT_EQ(Run({"submit", path, "--request-id", "my-id"}).code, 0);
  EXPECT_EQ(coordinator_.submits().back().request_id(), "my-id");
}

TEST_F(FollowTest, SubmitIsNotRepeatedWhenItIsRefused) {
  coordinator_.FailNext(
      "Submit", WithErrorInfo(absl::AlreadyExistsError("request id is taken"),
                              {.reason = ErrorReason::kRequestIdReused, .hint = "leave it out"}));
  const Result result = Run({"submit", WriteJob()});
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(result.err, "error: request id is taken; hint: leave it out\n");
  EXPECT_EQ(coordinator_.submits().size(), 1u);
}

TEST_F(FollowTest, SubmitSendsNothingWhenTheJobIsInvalid) {
  const Result result = Run({"submit", WriteJob("name: x\nnonsense: 1\n")});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("job.yaml:2: "));
  EXPECT_EQ(coordinator_.submits().size(), 0u);
}

TEST_F(FollowTest, DryRunStoresNothing) {
  coordinator_.SetProblems({}, {"no worker has a GPU"});
  const std::string path = WriteJob();
  const Result good = Run({"submit", path, "--dry-run"});
  EXPECT_EQ(good.code, 0);
  EXPECT_THAT(good.err, HasSubstr("warning: no worker has a GPU\n"));
  coordinator_.SetProblems({"resources.slots: 64, the largest worker has 2"}, {});
  const Result bad = Run({"submit", path, "--dry-run"});
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, StartsWith("resources.slots: 64, the largest worker has 2\n"));
  EXPECT_EQ(coordinator_.submits().size(), 0u);
}

TEST_F(FollowTest, SubmitWaitEndsWithTheJobsExitCode) {
  const std::string path = WriteJob();
  const std::pair<pb::JobState, int> cases[] = {
      {pb::JOB_STATE_SUCCEEDED, 0}, {pb::JOB_STATE_FAILED, 10}, {pb::JOB_STATE_CANCELLED, 11}};
  for (const auto& [state, code] : cases) {
    Script({pb::JOB_STATE_QUEUED, pb::JOB_STATE_RUNNING, state});
    const Result result = Run({"submit", path, "--wait"});
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.out, HasSubstr(absl::StrCat("job j-1001 ", TextOf(state), " in 3m12s")));
  }
}

TEST_F(FollowTest, SweepWaitFollowsEveryJobAndEndsWithTheFirstFailure) {
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_SUCCEEDED});  // the reference
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_CANCELLED});
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_FAILED});
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_SUCCEEDED});
  const Result result = Run({"sweep", WriteJob(), "--grid", "method.beta=1,2,3", "--wait"});
  EXPECT_EQ(result.code, 11) << result.err;
  coordinator_.AwaitWatches(4);
  EXPECT_THAT(result.out, HasSubstr("fpoctl compare "));
  EXPECT_THAT(result.out, HasSubstr("CANCELLED in 3m12s"));
  EXPECT_THAT(result.out, HasSubstr("FAILED in 3m12s"));
}

TEST_F(FollowTest, WatchOnAPipeIsPlainLines) {
  AddRunningJob();
  Script({pb::JOB_STATE_QUEUED, pb::JOB_STATE_RUNNING, pb::JOB_STATE_RUNNING, pb::JOB_STATE_RUNNING,
          pb::JOB_STATE_SUCCEEDED});
  const Result result = Run({"watch", "tiny-fpo"});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char c : result.out) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  }
  const std::vector<std::string> lines = LinesOf(result.out);
  ASSERT_GE(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr(" j-1001 QUEUED"));
  EXPECT_THAT(lines[1], HasSubstr(" j-1001 RUNNING train 63 of 120 steps, loss 0.6321"));
  EXPECT_THAT(lines[2], HasSubstr(" j-1001 SUCCEEDED"));
  EXPECT_EQ(lines[3], "job j-1001 SUCCEEDED in 3m12s (1 attempt)");
  EXPECT_THAT(result.out, HasSubstr("  eval_rewards/accuracies  0.9130\n"));
  EXPECT_THAT(result.out, HasSubstr("  folder   /runs/fpo\n"));
}

TEST_F(FollowTest, WatchOnATerminalRedrawsABlock) {
  environment_.out_is_terminal = true;
  environment_.style.columns = 80;
  times_.redraw_min = absl::ZeroDuration();
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_SUCCEEDED});
  const Result result = Run({"watch", "j-1001"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, HasSubstr("\x1b["));
  EXPECT_THAT(result.out, HasSubstr("step 63/120   loss 0.6321"));
}

TEST_F(FollowTest, WatchJsonIsOneObjectALine) {
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_FAILED});
  const Result result = Run({"watch", "j-1001", "--json"});
  EXPECT_EQ(result.code, 10);
  const std::vector<std::string> lines = LinesOf(result.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(json::parse(lines[0])["job"]["state"], "RUNNING");
  EXPECT_EQ(json::parse(lines[1])["job"]["state"], "FAILED");
}

TEST_F(FollowTest, WatchGoesOnAfterALostConnection) {
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING}, absl::UnavailableError("connection reset"));
  Script({pb::JOB_STATE_RUNNING}, absl::CancelledError("server is stopping"));
  Script({pb::JOB_STATE_RUNNING});  // ended without an error, before the job has
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_SUCCEEDED});
  const Result result = Run({"watch", "j-1001"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(coordinator_.watches(), 4);
  EXPECT_THAT(result.out, HasSubstr("connection lost"));
  EXPECT_THAT(result.out, HasSubstr("connected again"));
}

TEST_F(FollowTest, WatchGivesUpWithExit5) {
  times_.reconnect.give_up_after = absl::Milliseconds(50);
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING}, absl::UnavailableError("connection reset"));
  const Result result = Run({"watch", "j-1001"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("cannot be reached"));
}

TEST_F(FollowTest, WatchSurvivesARestartOfTheCoordinator) {
  times_.reconnect = {absl::Milliseconds(10), absl::Milliseconds(100), absl::Seconds(30)};
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING}, absl::OkStatus(), /*hold=*/true);
  std::thread restart([this] {
    coordinator_.AwaitWatches(1);
    coordinator_.Stop();
    Script({pb::JOB_STATE_SUCCEEDED});
    coordinator_.Start();
  });
  const Result result = Run({"watch", "j-1001"});
  restart.join();
  EXPECT_EQ(result.code, 0) << result.err;
}

TEST_F(FollowTest, CtrlCSaysHowToFollowAgainAndCancelsNothing) {
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING}, absl::OkStatus(), /*hold=*/true);
  std::thread ctrl_c([this] {
    coordinator_.AwaitWatches(1);
    interrupt_.Raise();
  });
  const Result result = Run({"watch", "tiny-fpo"});
  ctrl_c.join();
  EXPECT_EQ(result.code, 130);
  EXPECT_THAT(result.err,
              HasSubstr("follow again  fpoctl watch j-1001\n  cancel        fpoctl cancel j-1001"));
  EXPECT_TRUE(coordinator_.cancels().empty());
}

TEST_F(FollowTest, WaitEndsAtItsTimeout) {
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING}, absl::OkStatus(), /*hold=*/true);
  const Result result = Run({"wait", "j-1001", "--timeout", "100ms"});
  EXPECT_EQ(result.code, 12);
  EXPECT_THAT(result.err, HasSubstr("at the timeout; continue with: fpoctl wait j-1001"));
}

TEST_F(FollowTest, WaitPrintsTheEndAlone) {
  AddRunningJob();
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_SUCCEEDED});
  EXPECT_THAT(Run({"wait", "j-1001"}).out, StartsWith("job j-1001 SUCCEEDED"));
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_FAILED});
  const Result quiet = Run({"wait", "j-1001", "-q"});
  EXPECT_EQ(quiet.code, 10);
  EXPECT_EQ(quiet.out, "");
  EXPECT_EQ(quiet.err,
            "job j-1001 FAILED: program: loss is not finite at step 64; hint: fpoctl describe "
            "j-1001\n");
  Script({pb::JOB_STATE_RUNNING, pb::JOB_STATE_CANCELLED});
  const Result as_json = Run({"wait", "j-1001", "--json"});
  EXPECT_EQ(as_json.code, 11);
  EXPECT_EQ(json::parse(as_json.out)["job"]["state"], "CANCELLED");
}

pb::LogLine Line(uint64_t cursor, const std::string& text) {
  pb::LogLine line;
  line.set_cursor(cursor);
  line.set_attempt(1);
  line.set_rank(0);
  line.mutable_time()->set_seconds(kSampleStart);
  line.set_text(text);
  return line;
}

TEST_F(FollowTest, TheAgentsOwnLinesNameIt) {
  AddRunningJob();
  pb::LogLine line = Line(1, "trainer: fpo-train 0.1.0");
  line.set_rank(-1);
  coordinator_.AddLogs({{{line}}, absl::OkStatus()});
  EXPECT_EQ(Run({"logs", "tiny-fpo"}).out,
            "2025-01-31 14:03:11 1/agent trainer: fpo-train 0.1.0\n");
}

TEST_F(FollowTest, LogsPrintsLinesInOrder) {
  AddRunningJob();
  coordinator_.AddLogs(
      {{{Line(1, "loading"), Line(2, "step 1")}, {Line(3, "step 2")}}, absl::OkStatus()});
  const Result result = Run({"logs", "tiny-fpo", "--attempt", "1", "--tail", "3"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out,
            "2025-01-31 14:03:11 1/0 loading\n2025-01-31 14:03:11 1/0 step 1\n"
            "2025-01-31 14:03:11 1/0 step 2\n");
  const pb::LogsRequest request = coordinator_.logs().at(0);
  EXPECT_EQ(request.job_id(), "j-1001");
  EXPECT_EQ(request.attempt(), 1);
  EXPECT_EQ(request.tail(), 3);
  EXPECT_FALSE(request.follow());
}

TEST_F(FollowTest, LogsFollowsOverALostConnectionWithoutRepeating) {
  AddRunningJob();
  coordinator_.AddLogs({{{Line(7, "a")}}, absl::UnavailableError("reset")});
  coordinator_.AddLogs({{{Line(8, "b")}}, absl::OkStatus()});
  coordinator_.AddLogs({{{Line(9, "c")}}, absl::OkStatus(), pb::JOB_STATE_FAILED});
  Script({pb::JOB_STATE_FAILED});
  const Result result = Run({"logs", "-f", "j-1001", "-q", "--tail", "1"});
  EXPECT_EQ(result.code, 10) << "the job's own exit code";
  EXPECT_EQ(result.out, "a\nb\nc\n") << "a stream that ended before the job is taken up again";
  ASSERT_EQ(coordinator_.logs().size(), 3u);
  EXPECT_EQ(coordinator_.logs()[1].after(), 7u);
  EXPECT_EQ(coordinator_.logs()[1].tail(), 0);
}

TEST_F(FollowTest, LogsOnATerminalObeyNoEscapes) {
  AddRunningJob();
  coordinator_.AddLogs({{{Line(1, "\x1b[2Jgone")}}, absl::OkStatus()});
  environment_.out_is_terminal = true;
  EXPECT_EQ(Run({"logs", "j-1001", "-q"}).out, " [2Jgone\n");
}

// less -R and other programs behind the pipe show them on a terminal.
TEST_F(FollowTest, LogsOnAPipeHaveNoEscapesEither) {
  AddRunningJob();
  coordinator_.AddLogs({{{Line(1, "a\tb\x1b[2J\r\xE2\x80\xAEgone")}}, absl::OkStatus()});
  EXPECT_EQ(Run({"logs", "j-1001", "-q"}).out, "a\tb [2J  gone\n");
}

TEST_F(FollowTest, LogsJsonIsOneAnswerALine) {
  AddRunningJob();
  coordinator_.AddLogs({{{Line(1, "a")}, {Line(2, "b")}}, absl::OkStatus()});
  const std::vector<std::string> lines = LinesOf(Run({"logs", "j-1001", "--json"}).out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(json::parse(lines[1])["lines"][0]["text"], "b");
}

}  // namespace
}  // namespace fpo::ctl
