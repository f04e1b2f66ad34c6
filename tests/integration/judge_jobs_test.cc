// Answers and verdicts through the real programs: jobs of kind generate and judge, killed in their
// middle, go on with what is missing, and what comes out is what an undisturbed run gives.
//
// With AlpacaEval's questions where the shared data is; FPO_ALPACA_PROMPTS=805 takes all of them.

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/verdicts/judge_server.h"

namespace fpo::testing {
namespace {

using train::JudgeServer;
using JobJson = nlohmann::json;

constexpr int kPromptsOfATest = 40;
constexpr absl::Duration kPatience = absl::Minutes(20);  // of the full set on a slow machine

class JudgeJobsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    service_ = new LocalService;
    service_->StartAll();
    const std::string tiny = Environment("FPO_SOURCE_DIR") + "/examples/tiny";
    const Outcome made = RunProgram(
        {tiny + "/prepare.sh", service_->Path("tiny"), Environment("FPO_BIN_DIR") + "/fpo-train"});
    ASSERT_EQ(made.code, 0) << made.err;
    const std::string prompts = Environment("FPO_ALPACA_PROMPTS");
    count_ = prompts.empty() ? kPromptsOfATest : std::stoi(prompts);
    WriteQuestions();
    WriteGenerateJob("mine", 1);
    WriteGenerateJob("theirs", 2);
    for (const char* name : {"mine", "theirs"}) Finish(name);
  }
  static void TearDownTestSuite() {
    delete service_;
    service_ = nullptr;
  }

  // Of AlpacaEval without their published answers, or made up.
  static void WriteQuestions() {
    JobJson questions = JobJson::array();
    const std::string shared =
        train::SharedData("eval/alpaca_eval/gpt4_1106_preview.model_outputs.json");
    if (!shared.empty()) questions = JobJson::parse(ReadFile(shared));
    for (int i = static_cast<int>(questions.size()); shared.empty() && i < count_; ++i) {
      questions.push_back({{"dataset", "made up"},
                           {"instruction", "What is better than " + std::to_string(i) + " hens?"},
                           {"generator", "none"}});
    }
    ASSERT_GE(static_cast<int>(questions.size()), count_);
    questions.erase(questions.begin() + count_, questions.end());
    for (JobJson& question : questions) question.erase("output");
    std::ofstream(service_->Path("tiny/questions.json")) << questions.dump();
  }

  static void WriteGenerateJob(const std::string& name, int seed) {
    std::ofstream(service_->Path("tiny/" + name + ".yaml"))
        << "name: " << name << "\nkind: generate\nmodel: {path: base, dtype: float32}\n"
        << "generate: {prompts: questions.json, format: alpaca_eval, max_new_tokens: 24, batch: 2, "
        << "temperature: 1}\nseed: " << seed << "\noutput: runs/" << name << "\n";
  }

  // `more`: other entries of the section "judge".
  static void WriteJudgeJob(const std::string& name, const std::string& model,
                            const std::string& more) {
    std::ofstream(service_->Path("tiny/" + name + ".yaml"))
        << "name: " << name << "\nkind: judge\n"
        << (model.empty() ? "" : "model: {path: " + model + ", dtype: float32}\n")
        << "judge: {outputs: runs/mine/answers.json, baseline: runs/theirs/answers.json" << more
        << "}\noutput: runs/" << name << "\n";
  }

  static std::string Run(const std::string& name) { return service_->Path("tiny/runs/" + name); }
  static JobJson Annotations(const std::string& name) {
    return JobJson::parse(ReadFile(Run(name) + "/annotations.json"), nullptr, false);
  }
  static JobJson Summary(const std::string& name) {
    return JobJson::parse(ReadFile(Run(name) + "/annotations.json.summary.json"), nullptr, false);
  }
  static int64_t Lines(const std::string& path) {
    const std::string text = ReadFile(path);
    return std::count(text.begin(), text.end(), '\n');
  }

  static void Submit(const std::string& name) {
    const Outcome sent =
        service_->Ctl({"submit", service_->Path("tiny/" + name + ".yaml"), "-q"}, kPatience);
    ASSERT_EQ(sent.code, 0) << sent.out << sent.err;
  }
  static JobJson WaitFor(const std::string& name) {
    const Outcome waited = service_->Ctl({"wait", name}, kPatience);
    const JobJson job = service_->Describe(name);
    EXPECT_EQ(waited.code, 0) << waited.err << job.dump(1);
    EXPECT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump(1);
    return job;
  }
  static JobJson Finish(const std::string& name) {
    Submit(name);
    return WaitFor(name);
  }

  // Submits the job, and kills its trainer when `file` has a tenth of `lines`.
  static JobJson FinishAfterAKill(const std::string& name, const std::string& file, int64_t lines) {
    Submit(name);
    const absl::Time deadline = absl::Now() + kPatience;
    while (Lines(file) < std::max<int64_t>(3, lines / 10) && absl::Now() < deadline) {
    }
    const std::string attempt = "FPO_ATTEMPT=" + service_->Describe(name).value("job_id", "?");
    for (const pid_t pid : ProcessesWith(attempt + "/")) kill(pid, SIGKILL);
    EXPECT_LT(Lines(file), lines) << "the job was too short to be killed in its middle";
    JobJson job = WaitFor(name);
    EXPECT_GE(job["attempts"].size(), 2u) << job.dump(1);
    return job;
  }

  static double Result(const JobJson& job, const std::string& name) {
    return job["result"].value(name, -1.0);
  }

  static LocalService* service_;
  static int count_;
};

LocalService* JudgeJobsTest::service_ = nullptr;
int JudgeJobsTest::count_ = 0;

// The file holds nothing of the run but its job's name.
std::string WithoutGenerator(JobJson answers) {
  for (JobJson& answer : answers) answer.erase("generator");
  return answers.dump();
}

TEST_F(JudgeJobsTest, KilledInTheMiddleTheAnswersAreTheSame) {
  WriteGenerateJob("mine-killed", 1);
  FinishAfterAKill("mine-killed", Run("mine-killed") + "/answers.json", count_);
  const JobJson answers = JobJson::parse(ReadFile(Run("mine-killed") + "/answers.json"));
  ASSERT_EQ(answers.size(), static_cast<size_t>(count_));
  const JobJson undisturbed = JobJson::parse(ReadFile(Run("mine") + "/answers.json"));
  EXPECT_EQ(WithoutGenerator(answers), WithoutGenerator(undisturbed));
  EXPECT_NE(WithoutGenerator(answers),
            WithoutGenerator(JobJson::parse(ReadFile(Run("theirs") + "/answers.json"))));
}

TEST_F(JudgeJobsTest, AModelJudgesAndTheSecondRunOnAnotherWorkerAsksForNothing) {
  WriteJudgeJob("judged", "base", "");
  const JobJson undisturbed = Finish("judged");
  const auto verdicts = static_cast<int64_t>(Result(undisturbed, "verdicts_asked"));
  EXPECT_GT(verdicts, count_);
  EXPECT_EQ(Result(undisturbed, "verdicts"), 2.0 * count_);
  EXPECT_EQ(Result(undisturbed, "judged"), count_);

  WriteJudgeJob("judged-killed", "base", "");
  const JobJson killed = FinishAfterAKill(
      "judged-killed", Run("judged-killed") + "/verdicts/verdicts.jsonl", verdicts);
  EXPECT_LT(Result(killed, "verdicts_asked"), static_cast<double>(verdicts));
  EXPECT_EQ(Annotations("judged-killed"), Annotations("judged"));
  EXPECT_EQ(Summary("judged-killed"), Summary("judged"));

  service_->Kill("worker");
  service_->StartWorker("other");
  WriteJudgeJob("judged-again", "base", ", store: runs/judged/verdicts");
  const JobJson again = Finish("judged-again");
  service_->Kill("other");
  service_->Start("worker");
  EXPECT_EQ(again["attempts"][0]["workers"][0], "other") << again.dump(1);
  EXPECT_EQ(Result(again, "verdicts_asked"), 0);
  EXPECT_EQ(Result(again, "win_rate"), Result(undisturbed, "win_rate"));
  EXPECT_EQ(Annotations("judged-again"), Annotations("judged"));
}

TEST_F(JudgeJobsTest, AServerThatFailsNowAndThenJudgesWhatIsMissing) {
  const std::string failures = "429,cut,good,500,malformed,good,good,503";
  const JudgeServer server(failures);
  const std::string judge = ", url: '" + server.url() + "', model: long-is-good, known_as: test";
  WriteJudgeJob("served", "", judge);
  const std::string store = Run("served") + "/verdicts/verdicts.jsonl";
  const JobJson job = FinishAfterAKill("served", store, 2 * count_);
  EXPECT_EQ(Result(job, "judged"), count_);
  const int64_t kept = Lines(store);
  constexpr int64_t kFailed = 5, kInProgress = 4;  // those may have been lost by the kill
  const auto asked = static_cast<int64_t>(server.Requests().size());
  EXPECT_GE(asked, kept + kFailed);
  EXPECT_LE(asked, kept + kFailed + kInProgress) << "a verdict that was kept was asked for again";
  // The server prefers the longer answer.
  const JobJson annotations = Annotations("served");
  ASSERT_EQ(annotations.size(), static_cast<size_t>(count_));
  for (const JobJson& row : annotations) {
    const auto difference = static_cast<double>(row["output_2"].get<std::string>().size()) -
                            static_cast<double>(row["output_1"].get<std::string>().size());
    if (std::abs(difference) < 20) continue;  // it counts characters, not bytes
    EXPECT_EQ(row["preference"].get<double>() > 1.5, difference > 0) << row.dump(1);
  }
  WriteJudgeJob("served-again", "", judge + ", store: runs/served/verdicts");
  EXPECT_EQ(Result(Finish("served-again"), "verdicts_asked"), 0);
  EXPECT_EQ(static_cast<int64_t>(server.Requests().size()), asked);
  EXPECT_EQ(Annotations("served-again"), annotations);
}

// MT-Bench's two turns, from the questions to the ratings.
TEST_F(JudgeJobsTest, AServerRatesBothTurns) {
  std::ofstream(service_->Path("tiny/mt_bench.jsonl"))
      << R"({"question_id": 81, "category": "writing", "turns": ["Write of hens.", "Shorter."]})"
      << "\n"
      << R"({"question_id": 111, "category": "math", "turns": ["What is 1 + 1?", "And 2 + 2?"]})"
      << "\n";
  std::ofstream(service_->Path("tiny/talks.yaml"))
      << "name: talks\nkind: generate\nmodel: {path: base, dtype: float32}\n"
      << "generate: {prompts: mt_bench.jsonl, format: mt_bench, max_new_tokens: 24}\n"
      << "output: runs/talks\n";
  Finish("talks");
  const JudgeServer server("");
  std::ofstream(service_->Path("tiny/rated.yaml"))
      << "name: rated\nkind: judge\njudge: {kind: rating, outputs: runs/talks/answers.jsonl, "
      << "questions: mt_bench.jsonl, url: '" << server.url() << "', model: counts-words}\n"
      << "output: runs/rated\n";
  const JobJson job = Finish("rated");
  EXPECT_EQ(Result(job, "ratings"), 4);
  EXPECT_EQ(server.Requests().size(), 4u);
  const JobJson summary = Summary("rated");
  EXPECT_EQ(summary["model"], "talks");
  EXPECT_EQ(summary["categories"].size(), 2u);
  EXPECT_EQ(Result(job, "average_rating"), summary["average"]);
}

}  // namespace
}  // namespace fpo::testing
