// Jobs through the real programs: submit to finish, the shared cache, cancel, and each program
// killed in turn.

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

bool IsTerminal(const json& job) {
  const std::string state = job.value("state", "");
  return state == "SUCCEEDED" || state == "FAILED" || state == "CANCELLED";
}

json Progress(const json& job) { return job.value("progress", json::object()); }

// One service and one tiny world for all tests of this file; each test uses its own output folders
// and job names.
class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    service_ = new LocalService;
    service_->StartAll();
    const std::string tiny = Environment("FPO_SOURCE_DIR") + "/examples/tiny";
    const Outcome made = RunProgram(
        {tiny + "/prepare.sh", service_->Path("tiny"), Environment("FPO_BIN_DIR") + "/fpo-train"});
    ASSERT_EQ(made.code, 0) << made.err;
    const Outcome sae = Submit(
        "sae.yaml", {"name=sae", "model.path=base", "output=runs/sae", "sae_training.steps=60"});
    ASSERT_EQ(sae.code, 0) << sae.out << sae.err;
  }
  static void TearDownTestSuite() {
    delete service_;
    service_ = nullptr;
  }

  static Outcome Submit(const std::string& file, std::vector<std::string> set,
                        std::vector<std::string> more = {"--wait"},
                        const std::string& command = "submit") {
    std::vector<std::string> words = {command, service_->Path("tiny/") + file};
    for (std::string& entry : set) {
      for (const char* path : {"model.path=", "sae.path=", "output="}) {
        if (entry.rfind(path, 0) == 0 && entry.find("=/") == std::string::npos) {
          entry.insert(std::string(path).size(), service_->Path("tiny/"));
        }
      }
      words.insert(words.end(), {"--set", entry});
    }
    words.insert(words.end(), more.begin(), more.end());
    return service_->Ctl(words);
  }

  // The settings of a short FPO job from the base model; `seed` also makes its data order its own.
  static std::vector<std::string> Short(const std::string& name, int steps) {
    return {"name=" + name,
            "model.path=base",
            "output=runs/" + name,
            "batch.pairs=8",
            "max_steps=" + std::to_string(steps),
            "data.max_pairs=240",
            "evaluate.pairs=16",
            "evaluate.every_steps=1000",
            "checkpoint.every_steps=5"};
  }

  // tiny/NAME.yaml: a job of this name that samples an answer to each of `prompts` prompts.
  static void WriteGenerateJob(const std::string& name, int prompts) {
    std::ofstream file(service_->Path("tiny/" + name + ".jsonl"));
    for (int i = 0; i < prompts; ++i) {
      file << json({{"prompt", "word " + std::to_string(i)}}) << "\n";
    }
    std::ofstream job(service_->Path("tiny/" + name + ".yaml"));
    job << "name: " << name << "\nkind: generate\nmodel: {path: base, dtype: float32}\n"
        << "generate: {prompts: " << name
        << ".jsonl, max_new_tokens: 40, batch: 2, temperature: 1}\n"
        << "data: {template: none}\noutput: runs/" << name << "\n";
  }

  // The whole rows that such a job has written so far.
  static std::vector<json> Answers(const std::string& name) {
    std::ifstream file(service_->Path("tiny/runs/" + name + "/answers.jsonl"));
    std::vector<json> rows;
    for (std::string line; std::getline(file, line);) {
      json row = json::parse(line, nullptr, false);
      if (row.is_object()) rows.push_back(std::move(row));
    }
    return rows;
  }

  static json WithoutName(json answer) {
    answer.erase("generator");
    answer.erase("settings");
    return answer;
  }

  static bool HasModel(const std::string& name) {
    return std::filesystem::exists(
        service_->Path("tiny/runs/" + name + "/model/model.safetensors"));
  }

  // Of a job of this service alone: others may run on this machine.
  static std::vector<pid_t> Trainers(const std::string& name) {
    return ProcessesWith("FPO_ATTEMPT=" + service_->Describe(name).value("job_id", "?") + "/");
  }

  // Submits a job, waits until it trains past step 6, runs `harm`, and expects the job to finish
  // all the same.
  void FinishesAfter(const std::string& name, const std::function<void()>& harm) {
    const Outcome submitted = Submit("fpo.yaml", Short(name, 60), {"-q"});
    ASSERT_EQ(submitted.code, 0) << submitted.err;
    const auto training =
        service_->Until(name, [](const json& job) { return Number(Progress(job), "step") >= 6; });
    ASSERT_TRUE(training.has_value()) << service_->Describe(name).dump(1);
    harm();
    const auto end = service_->Until(name, IsTerminal);
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->value("state", ""), "SUCCEEDED") << end->dump(1);
    EXPECT_TRUE(HasModel(name));
    EXPECT_TRUE(Trainers(name).empty());
  }

  static LocalService* service_;
};

LocalService* ServiceTest::service_ = nullptr;

TEST_F(ServiceTest, FpoJobFinishesAndLaterJobsFindItsRecords) {
  const Outcome first = Submit("fpo.yaml", Short("first", 6));
  ASSERT_EQ(first.code, 0) << first.out << first.err;
  EXPECT_TRUE(HasModel("first"));
  const json first_cache = Progress(service_->Describe("first"))["cache"];
  EXPECT_GT(Number(first_cache, "records_computed"), 0);

  std::vector<std::string> other = Short("second", 6);
  other.insert(other.end(), {"method.alpha=3", "method.top_k=7"});
  ASSERT_EQ(Submit("fpo.yaml", other).code, 0);
  ASSERT_EQ(Submit("dpo.yaml", Short("third", 6)).code, 0);
  for (const char* name : {"second", "third"}) {
    const json cache = Progress(service_->Describe(name))["cache"];
    EXPECT_EQ(Number(cache, "records_computed"), 0) << name;
    EXPECT_EQ(Number(cache, "records_hit"), Number(cache, "records_total")) << name;
    EXPECT_EQ(Number(cache, "records_total"), Number(first_cache, "records_total")) << name;
  }
}

// Killed in the middle, it goes on with the answers that are missing.
TEST_F(ServiceTest, AGenerateJobAnswersEveryPromptOnce) {
  WriteGenerateJob("answers", 200);
  const auto lines = [&] { return Answers("answers"); };
  const Outcome submitted = Submit("answers.yaml", {}, {"-q"});
  ASSERT_EQ(submitted.code, 0) << submitted.out << submitted.err;
  ASSERT_TRUE(service_->Until("answers", [&](const json&) { return lines().size() >= 3; }));
  for (const pid_t pid : Trainers("answers")) kill(pid, SIGKILL);
  const auto end = service_->Until("answers", IsTerminal);
  ASSERT_TRUE(end.has_value()) << service_->Describe("answers").dump(1);
  EXPECT_EQ(end->value("state", ""), "SUCCEEDED") << end->dump(1);
  EXPECT_EQ(end->value("kind", ""), "generate");
  const std::vector<json> rows = lines();
  ASSERT_EQ(rows.size(), 200u);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].at("index"), i);
  EXPECT_EQ(rows[7].at("generator"), "answers");
}

// Its slot goes to an urgent job, then its worker is stopped: each time it ends by itself and goes
// on later, and the answers are those of a run that nothing disturbed.
TEST_F(ServiceTest, AGenerateJobThatIsStoppedTwiceGivesTheSameAnswers) {
  WriteGenerateJob("undisturbed", 300);
  WriteGenerateJob("stopped", 300);
  WriteGenerateJob("urgent", 1);
  ASSERT_EQ(Submit("undisturbed.yaml", {}).code, 0);
  ASSERT_EQ(Submit("stopped.yaml", {}, {"-q"}).code, 0);
  // Looks more often than the job's state changes: it is short.
  const auto has = [&](size_t count) {
    while (Answers("stopped").size() < count && !IsTerminal(service_->Describe("stopped"))) {
    }
    const size_t found = Answers("stopped").size();
    return found >= count && found < 300;
  };
  ASSERT_TRUE(has(3));
  ASSERT_EQ(Submit("urgent.yaml", {}, {"--priority", "900", "--wait"}).code, 0);
  ASSERT_TRUE(has(Answers("stopped").size() + 1)) << "the job was too short to be preempted";
  service_->Signal("worker", SIGTERM);
  EXPECT_EQ(service_->Wait("worker"), 0) << service_->Log("worker");
  EXPECT_LT(Answers("stopped").size(), 300u) << "the job was too short to be stopped";
  service_->Start("worker");
  const auto end = service_->Until("stopped", IsTerminal);
  ASSERT_TRUE(end.has_value()) << service_->Describe("stopped").dump(1);
  EXPECT_EQ(end->value("state", ""), "SUCCEEDED") << end->dump(1);
  const json job = service_->Describe("stopped");
  ASSERT_EQ(job["attempts"].size(), 3u) << job.dump(1);
  EXPECT_NE(job["attempts"][0].value("end_message", "").find("preempted"), std::string::npos);
  EXPECT_EQ(job["restarts_used"], 0) << job.dump(1);
  const std::vector<json> rows = Answers("stopped"), wanted = Answers("undisturbed");
  ASSERT_EQ(rows.size(), 300u);
  ASSERT_EQ(wanted.size(), 300u);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(WithoutName(rows[i]), WithoutName(wanted[i]));
}

// The worker makes the folder; the exported last checkpoint is the result's model, byte for byte.
TEST_F(ServiceTest, ACheckpointIsExportedAsAModel) {
  std::vector<std::string> set = Short("exported", 4);
  set.push_back("checkpoint.every_steps=2");
  ASSERT_EQ(Submit("dpo.yaml", set).code, 0);
  const std::string whole = service_->Path("whole"), last = service_->Path("last");
  const Outcome model = service_->Ctl({"export", "exported", "--to", whole});
  ASSERT_EQ(model.code, 0) << model.err;
  const Outcome checkpoint = service_->Ctl({"export", "exported", "--latest", "--to", last});
  ASSERT_EQ(checkpoint.code, 0) << checkpoint.err;
  EXPECT_NE(checkpoint.err.find("exporting the checkpoint of step 4"), std::string::npos)
      << checkpoint.err;
  for (const char* name : {"model.safetensors", "config.json", "generation_config.json"}) {
    const std::string bytes = ReadFile(whole + "/" + name);
    EXPECT_FALSE(bytes.empty()) << name;
    EXPECT_EQ(ReadFile(last + "/" + name), bytes) << name;
  }
  EXPECT_NE(ReadFile(last + "/README.md").find("| Step | 4 of 4 |"), std::string::npos);
}

TEST_F(ServiceTest, ASweepComputesTheReferenceOnce) {
  std::vector<std::string> set = Short("swept", 4);
  set.push_back("reference.values=float16");  // records that no test before has computed
  const Outcome sent = Submit("fpo.yaml", set, {"--grid", "method.beta=1,2", "-q"}, "sweep");
  ASSERT_EQ(sent.code, 0) << sent.err;
  for (const std::string name : {"swept-reference", "swept-beta-1", "swept-beta-2"}) {
    const auto end = service_->Until(name, IsTerminal);
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->value("state", ""), "SUCCEEDED") << end->dump(1);
    const json cache = Progress(*end)["cache"];
    const bool builds = name == "swept-reference";
    EXPECT_EQ(Number(cache, "records_computed") > 0, builds) << cache;
    if (!builds) {
      EXPECT_EQ(Number(cache, "records_hit"), Number(cache, "records_total")) << cache;
      EXPECT_TRUE(HasModel("swept/" + name));
    }
  }
}

TEST_F(ServiceTest, CancelLeavesNoProcess) {
  ASSERT_EQ(Submit("fpo.yaml", Short("cancelled", 5000), {"-q"}).code, 0);
  ASSERT_TRUE(service_->Until("cancelled",
                              [](const json& job) { return Number(Progress(job), "step") >= 2; }));
  EXPECT_EQ(service_->Ctl({"cancel", "cancelled"}).code, 0);
  const auto end = service_->Until("cancelled", IsTerminal);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->value("state", ""), "CANCELLED");
  EXPECT_TRUE(Trainers("cancelled").empty());
  EXPECT_EQ(service_->Ctl({"wait", "cancelled"}).code, 11);
  const Outcome refused = service_->Ctl({"retry", "cancelled", "--set", "optimizer.lr=0.5"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("optimizer.lr: 0.5 here, "), std::string::npos) << refused.err;
}

TEST_F(ServiceTest, ASmokeComputesLittleAndRunsAgainAfterAnEditAndWithoutOne) {
  std::vector<std::string> set = Short("tried", 6);
  set.push_back("reference.values=float16");
  set.push_back("schedule.warmup_steps=150");
  for (const char* beta : {"2", "2", "3"}) {
    set.push_back(std::string("method.beta=") + beta);
    const Outcome smoke = Submit("dpo.yaml", set, {"--smoke", "--wait"});
    ASSERT_EQ(smoke.code, 0) << smoke.out << smoke.err;
    EXPECT_EQ(smoke.err.find("warm-up"), std::string::npos) << smoke.err;
    const Outcome log = service_->Ctl({"logs", "tried-smoke", "-q"});
    EXPECT_NE(log.out.find("step 2/2"), std::string::npos) << "it trains each time\n" << log.out;
    const json job = service_->Describe("tried-smoke");
    EXPECT_LE(Number(Progress(job)["cache"], "records_total"), 2 * (2 * 8 + 8))
        << "two batches and one of held-out pairs";
  }
}

TEST_F(ServiceTest, AFinishedRunIsSaidToBeFinishedAndGoesOnOnlyForMore) {
  ASSERT_EQ(Submit("dpo.yaml", Short("once", 4)).code, 0);
  const Outcome again = Submit("dpo.yaml", Short("once", 4));
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.out.find("nothing was trained"), std::string::npos) << again.out;
  Outcome log = service_->Ctl({"logs", "once", "-q"});
  EXPECT_NE(log.out.find("nothing was trained"), std::string::npos) << log.out;
  EXPECT_EQ(log.out.find("reference responses"), std::string::npos) << "nothing is prepared";

  std::vector<std::string> other = Short("once", 4);
  other.push_back("optimizer.lr=0.5");
  const Outcome refused = Submit("dpo.yaml", other);
  EXPECT_EQ(refused.code, 10);
  EXPECT_NE(refused.out.find("optimizer.lr: 0.5 here, "), std::string::npos) << refused.out;
  log = service_->Ctl({"logs", "once", "-q"});
  EXPECT_EQ(log.out.find("reference responses"), std::string::npos) << "nothing is prepared";

  ASSERT_EQ(Submit("dpo.yaml", Short("once", 7)).code, 0);
  EXPECT_EQ(service_->Describe("once").value("reason", ""), "");
  log = service_->Ctl({"logs", "once", "-q"});
  EXPECT_NE(log.out.find("step 7/7"), std::string::npos) << log.out;
}

TEST_F(ServiceTest, SurvivesAKilledTrainer) {
  FinishesAfter("kill-trainer", [] {
    const std::vector<pid_t> trainers = Trainers("kill-trainer");
    ASSERT_EQ(trainers.size(), 1u);
    kill(trainers.front(), SIGKILL);
  });
  EXPECT_EQ(service_->Describe("kill-trainer")["attempts"].size(), 2u);
}

TEST_F(ServiceTest, SurvivesAKilledAgent) {
  FinishesAfter("kill-agent", [] {
    service_->Kill("worker");
    service_->Start("worker");
  });
}

TEST_F(ServiceTest, SurvivesAKilledCoordinatorWithTheSameAttempt) {
  FinishesAfter("kill-coordinator", [] {
    service_->Kill("coordinator");
    service_->Start("coordinator");
  });
  EXPECT_EQ(service_->Describe("kill-coordinator")["attempts"].size(), 1u);
}

TEST_F(ServiceTest, SurvivesACacheKilledWhileRecordsAreComputed) {
  std::vector<std::string> settings = Short("kill-cache", 4);
  settings.insert(settings.end(), {"data.max_length=100", "data.max_pairs=2000", "kind=reference",
                                   "max_steps=null"});
  ASSERT_EQ(Submit("fpo.yaml", settings, {"-q"}).code, 0);
  ASSERT_TRUE(service_->Until("kill-cache", [](const json& job) {
    return Progress(job).value("phase", "") == "reference" && Number(Progress(job), "done") > 0;
  })) << service_->Describe("kill-cache").dump(1);
  service_->Kill("cache");
  service_->Start("cache");
  const auto end = service_->Until("kill-cache", IsTerminal);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->value("state", ""), "SUCCEEDED") << end->dump(1);
}

struct BadJob {
  const char* name;
  std::vector<std::string> set;
  const char* says;
};

class BadJobTest : public ServiceTest, public ::testing::WithParamInterface<BadJob> {};

TEST_P(BadJobTest, FailsNamingTheThingAndTheServicesLive) {
  std::vector<std::string> settings = Short(GetParam().name, 2);
  settings.insert(settings.end(), GetParam().set.begin(), GetParam().set.end());
  const std::string folder = service_->Path("tiny/");
  std::ofstream(folder + "empty.jsonl").close();
  std::filesystem::remove_all(folder + "torn");
  std::filesystem::copy(folder + "base", folder + "torn");
  std::filesystem::resize_file(folder + "torn/model.safetensors", 5000);
  const Outcome outcome = Submit("fpo.yaml", settings);
  EXPECT_EQ(outcome.code, 10) << outcome.out << outcome.err;
  const json job = service_->Describe(GetParam().name);
  EXPECT_EQ(job.value("state", ""), "FAILED");
  EXPECT_NE(job.value("reason", "").find(GetParam().says), std::string::npos) << job.dump(1);
  EXPECT_FALSE(HasModel(GetParam().name));
  EXPECT_EQ(job["attempts"].size(), 1u) << "bad input must not be tried again";
  for (const char* program : {"coordinator", "cache", "worker"}) {
    EXPECT_TRUE(service_->Alive(program)) << program;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Service, BadJobTest,
    ::testing::Values(BadJob{"no-model", {"model.path=nowhere"}, "nowhere"},
                      BadJob{"torn-model", {"model.path=torn"}, "model.safetensors"},
                      BadJob{"no-sae", {"sae.path=runs/none.npz"}, "none.npz"},
                      BadJob{"empty-data", {"data.train=[\"/dev/null\"]"}, "/dev/null"},
                      BadJob{"bad-layer", {"sae.layer=9"}, "layer"}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_F(ServiceTest, WrongJobFilesAreRefusedAtOnce) {
  const Outcome outcome = Submit("fpo.yaml", {"optimizer.lr=fast", "metod.name=fpo"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("optimizer.lr"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("metod"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace fpo::testing
