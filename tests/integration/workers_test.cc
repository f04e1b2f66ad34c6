// Workers that must not be what they say they are: of a name that is taken, without the device that
// they were asked for, without a token.

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class WorkersTest : public ::testing::Test {
 protected:
  static std::string Submit(LocalService& service, const std::string& name,
                            const std::string& how) {
    const Outcome outcome = service.Ctl({"submit", service.WriteFakeJob(name, how), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  static bool Trains(LocalService& service, const std::string& job) {
    return service
        .Until(job,
               [](const json& update) {
                 return update.value("progress", json::object()).value("step", "0") != "0";
               })
        .has_value();
  }
  // A worker's command line with other values of some flags.
  static std::vector<std::string> With(std::vector<std::string> argv,
                                       const std::vector<std::string>& flags) {
    for (size_t i = 0; i + 1 < flags.size(); i += 2) {
      if (flags[i] == "--allow-root") argv.push_back(flags[i++]);  // has no value
      bool replaced = false;
      for (size_t j = 0; j + 1 < argv.size(); ++j) {
        if (argv[j] != flags[i]) continue;
        argv[j + 1] = flags[i + 1];
        replaced = true;
      }
      if (!replaced) argv.insert(argv.end(), {flags[i], flags[i + 1]});
    }
    return argv;
  }
  // A worker to its end.
  static Outcome RunWorker(const LocalService& service, const std::vector<std::string>& flags = {},
                           const std::vector<std::string>& environment = {}) {
    return RunProgram(With(With(service.WorkerCommand("worker"), {"--http", "127.0.0.1:0"}), flags),
                      environment);
  }
  static json Worker(LocalService& service, const std::string& name) {
    const json answer = json::parse(service.Ctl({"workers", "list", "--json"}).out);
    for (const json& worker : answer["workers"]) {
      if (worker["worker_id"] == name) return worker;
    }
    return json::object();
  }
};

TEST_F(WorkersTest, ASecondAgentOfANameEndsAndTheFirstTrainsOn) {
  LocalService service({.trainer = "fake"});
  service.StartAll();
  const std::string job = Submit(service, "long", "steps-1000000-10-100");
  ASSERT_TRUE(Trains(service, job));
  const Outcome second = RunWorker(service, {"--work-dir", service.Path("second")});
  EXPECT_EQ(second.code, 7);
  EXPECT_THAT(second.err, HasSubstr("error: worker w1 is connected from "));
  EXPECT_THAT(second.err, HasSubstr("(work dir " + service.Path("worker") + "); use --name"));
  const Outcome same_folder = RunWorker(service, {"--name", "other"});
  EXPECT_EQ(same_folder.code, 7);
  EXPECT_THAT(same_folder.err, HasSubstr("belongs to a running agent"));
  const json now = service.Describe(job);
  EXPECT_EQ(now.value("state", ""), "RUNNING");
  EXPECT_EQ(now["attempts"].size(), 1u) << "it was not disturbed";
}

TEST_F(WorkersTest, AnAgentWhoseNameWasTakenWhileItWasPausedEndsWithItsRanks) {
  LocalService service({.trainer = "fake", .lease = "1s", .reattach = "1s"});
  service.StartAll();
  const std::string job = Submit(service, "long", "steps-1000000-10-100");
  ASSERT_TRUE(Trains(service, job));
  service.Signal("worker", SIGSTOP);
  const auto fenced =
      service.Until(job, [](const json& update) { return update.value("state", "") == "QUEUED"; });
  ASSERT_TRUE(fenced.has_value());
  // The same name from another folder: its owner is lost.
  Process second(With(service.WorkerCommand("worker"),
                      {"--work-dir", service.Path("second"), "--http", "127.0.0.1:0"}),
                 {}, service.Path("second.log"));
  const auto again = service.Until(job, [](const json& update) {
    return update.value("state", "") == "RUNNING" && update["attempts"].size() == 2;
  });
  ASSERT_TRUE(again.has_value());
  service.Signal("worker", SIGCONT);
  EXPECT_EQ(service.Wait("worker"), 7);
  EXPECT_THAT(service.Log("worker"), HasSubstr("(work dir " + service.Path("second") + ")"));
  EXPECT_TRUE(ProcessesWith(absl::StrCat("FPO_ATTEMPT=", job, "/1/")).empty());
  EXPECT_EQ(service.Describe(job)["attempts"].size(), 2u);
}

TEST_F(WorkersTest, ADeviceThatIsAskedForAndNotThereEndsTheAgentAtOnce) {
  LocalService service({.trainer = "fake"});
  service.Start("cache");
  service.Start("coordinator");
  std::ofstream(service.Path("devices")) << "exit-10 device cuda: no NVIDIA driver";
  const Outcome outcome =
      RunWorker(service, {"--device", "cuda"}, {"FPO_FAKE_DEVICES=" + service.Path("devices")});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("error: --device cuda: no GPU can be used on this host: "));
  EXPECT_THAT(outcome.err, HasSubstr("no NVIDIA driver"));
}

TEST_F(WorkersTest, AHostWhoseGpuCannotBeUsedOffersNothingAndTheListSaysWhy) {
  LocalService service({.trainer = "fake"});
  service.Start("cache");
  service.Start("coordinator");
  symlink(FPO_FAKE_NVML_LIBRARY, service.Path("libnvidia-ml.so.1").c_str());
  std::ofstream(service.Path("used")) << "300 300";
  std::ofstream(service.Path("devices")) << "exit-10 device cuda: the driver 550.54.15 is too old";
  setenv("LD_LIBRARY_PATH", service.Path("").c_str(), 1);
  setenv("FPO_FAKE_NVML", service.Path("used").c_str(), 1);
  setenv("FPO_FAKE_DEVICES", service.Path("devices").c_str(), 1);
  service.StartWorker("a-gpu", {"--device", "auto"});
  for (const char* name : {"LD_LIBRARY_PATH", "FPO_FAKE_NVML", "FPO_FAKE_DEVICES"}) unsetenv(name);
  for (const absl::Time give_up = absl::Now() + absl::Seconds(60);
       Worker(service, "a-gpu").value("note", "") == "" && absl::Now() < give_up;) {
  }
  const json worker = Worker(service, "a-gpu");
  EXPECT_EQ(worker.value("state", ""), "drained") << worker;
  EXPECT_NE(worker.value("device", ""), "cuda") << worker;
  EXPECT_THAT(service.Ctl({"workers", "list"}).out, HasSubstr("no GPU can be used on this host"));
  EXPECT_THAT(worker.value("note", ""), HasSubstr("the driver 550.54.15 is too old"));
}

TEST_F(WorkersTest, AHostThatLosesItsDeviceClosesAndItsJobsGoElsewhere) {
  LocalService service({.trainer = "fake"});
  service.Start("cache");
  service.Start("coordinator");
  const std::string devices = service.Path("devices");
  setenv("FPO_FAKE_DEVICES", devices.c_str(), 1);
  service.StartWorker("a-gpu", {"--device", "cuda"});
  unsetenv("FPO_FAKE_DEVICES");
  std::ofstream(devices) << "exit-10 device cuda: the GPU has fallen off the bus";
  const std::string first = Submit(service, "first", "steps-3-1-0");
  const auto closed = [&] { return Worker(service, "a-gpu").value("note", "") != ""; };
  for (const absl::Time give_up = absl::Now() + absl::Seconds(60);
       !closed() && absl::Now() < give_up;) {
  }
  EXPECT_THAT(Worker(service, "a-gpu").value("note", ""), HasSubstr("fallen off the bus"));
  const std::string second = Submit(service, "second", "steps-3-1-0");
  service.StartWorker("b-cpu", {"--device", "cpu"});
  for (const std::string& job : {first, second}) {
    EXPECT_TRUE(service.Until(job, [](const json& update) {
      return update.value("state", "") == "SUCCEEDED";
    })) << service.Describe(job).dump(1);
  }
  const json failed = service.Describe(first)["attempts"][0];
  EXPECT_EQ(failed.value("end_class", ""), "infrastructure") << failed;
  EXPECT_EQ(service.Describe(second)["attempts"].size(), 1u) << "a closed worker gets no jobs";
}

TEST_F(WorkersTest, ATokenThatIsWrongOrMissingEndsTheAgent) {
  const std::string list = "/tmp/fpo-workers-test-" + std::to_string(getpid()) + ".json";
  LocalService service({.trainer = "fake", .coordinator_flags = {"--access", list}});
  for (const auto& [who, role] : {std::pair("user", "user"), std::pair("good", "worker")}) {
    const Outcome made = RunProgram({absl::StrCat(getenv("FPO_BIN_DIR"), "/fpoctl"), "token",
                                     "create", who, "--role", role, "--access", list, "--out",
                                     service.Path(absl::StrCat(who, ".token"))});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  service.Start("cache");
  service.Start("coordinator");
  const Outcome none = RunWorker(service);
  EXPECT_EQ(none.code, 6);
  EXPECT_THAT(none.err, HasSubstr("does not take this worker"));
  EXPECT_THAT(none.err, HasSubstr("hint: pass --token-file"));
  const Outcome wrong =
      RunWorker(service, {"--allow-root", "--token-file", service.Path("user.token")});
  EXPECT_EQ(wrong.code, 6);
  EXPECT_THAT(wrong.err, HasSubstr("user has the role user"));
  const Outcome another =
      RunWorker(service, {"--allow-root", "--token-file", service.Path("good.token")});
  EXPECT_EQ(another.code, 6);
  EXPECT_THAT(another.err, HasSubstr("the credentials are those of good"));
  EXPECT_THAT(another.err, HasSubstr("hint: start it with --name good"));
  service.StartWorker("good", {"--allow-root", "--token-file", service.Path("good.token")});
  EXPECT_TRUE(service.Alive("good"));
  unlink(list.c_str());
}

TEST_F(WorkersTest, WhatIsNoCoordinatorIsSaidToBeNone) {
  LocalService service({.trainer = "fake"});
  service.Start("cache");
  service.Start("coordinator");
  const Outcome outcome = RunWorker(service, {"--coordinator", service.GrpcAddress("cache")});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("is not an fpo-coordinator"));
}

TEST_F(WorkersTest, AJobWaitsForALostWorkerForALimitedTimeAndAllSayTheSame) {
  LocalService service({.trainer = "fake",
                        .lease = "1s",
                        .reattach = "1s",
                        .coordinator_flags = {"--unsatisfiable-after", "4s"}});
  service.Start("cache");
  service.Start("coordinator");
  service.StartWorker("dead");
  service.StartWorker("live");
  service.Kill("dead");
  const std::string path = service.WriteFakeJob("wide", "steps-3-1-0");
  ASSERT_EQ(service.Ctl({"submit", path, "--set", "resources.slots=2"}).code, 0);
  const auto waits = service.Until("wide", [](const json& update) {
    return update.value("reason", "").find("lost: dead; fails at") != std::string::npos;
  });
  ASSERT_TRUE(waits.has_value());
  const std::string reason = waits->value("reason", "");
  EXPECT_THAT(reason, HasSubstr("waiting-for-slots: needs 2, 1 free; lost: dead; fails at "));
  EXPECT_THAT(service.Ctl({"explain", "wide"}).out, HasSubstr(reason));
  const json queue = json::parse(service.Ctl({"queue", "--json"}).out);
  EXPECT_FALSE(queue["waiting"][0].contains("start_estimate")) << queue;
  EXPECT_TRUE(service.Until("wide", [](const json& update) {
    return update.value("state", "") == "FAILED" &&
           update.value("reason", "").find("gave up after 4s") != std::string::npos;
  })) << service.Describe("wide").dump(1);
  EXPECT_EQ(service.Ctl({"workers", "forget", "live"}).code, 7);
  const Outcome forgotten = service.Ctl({"workers", "forget", "dead"});
  EXPECT_EQ(forgotten.out, "worker dead is forgotten\n") << forgotten.err;
  EXPECT_EQ(service.Ctl({"workers", "list", "-q"}).out, "live\n");
}

}  // namespace
}  // namespace fpo::testing
