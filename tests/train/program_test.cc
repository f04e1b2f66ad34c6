// fpo-train by its command line, with real files: what a person types and what the agent starts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/train_protocol.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/support/trained_tokenizer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("FPO_BIN_DIR");
    program_ = absl::StrCat(folder != nullptr ? folder : ".", "/fpo-train");
    if (!fs::exists(program_)) GTEST_SKIP() << program_ << " is not built";
    if (TinyTokenizer().empty()) GTEST_SKIP() << "spm_train is not installed";
    std::ofstream(tiny_.Path("config.json")) << TinyTextConfig();
    WriteData("train.jsonl", 0, 24);
    WriteData("eval.jsonl", 100, 8);
    WriteJob("dpo.yaml", "method: {name: dpo, beta: 0.1}\n", "dpo");
    ASSERT_EQ(Run(absl::StrCat("init-model --config ", P("config.json"), " --tokenizer ",
                               TinyTokenizer(), " --seed 3 --out ", P("base"))),
              0)
        << output_;
  }
  std::string P(const std::string& name) const { return tiny_.Path(name); }
  void WriteData(const std::string& name, int first, int rows) const {
    std::ofstream out(P(name));
    for (int i = first; i < first + rows; ++i) {
      out << nlohmann::json{{"prompt", TinySentence(i)},
                            {"chosen", " " + TinySentence(i + 1000)},
                            {"rejected", " " + TinySentence(i + 2000)}}
                 .dump()
          << "\n";
    }
  }
  void WriteJob(const std::string& file, const std::string& more, const std::string& out) const {
    std::ofstream(P(file)) << "name: tiny\nmodel: {path: " << P("base") << ", dtype: float32}\n"
                           << "data: {train: [" << P("train.jsonl") << "], eval: ["
                           << P("eval.jsonl") << "], max_length: 64, max_prompt_length: 32}\n"
                           << "optimizer: {lr: 1.0e-3}\nschedule: {warmup_steps: 1}\n"
                           << "batch: {pairs: 8, tokens_per_microbatch: 512}\n"
                           << "checkpoint: {every_steps: 2}\noutput: " << P(out) << "\n"
                           << more;
  }
  // Exit code; what the program printed is in output_.
  int Run(const std::string& arguments, const std::string& before = "",
          const std::string& after = "") {
    const std::string log = P("log.txt");
    const std::string command =
        absl::StrCat(before, " ", program_, " ", arguments, " ", after, " >", log, " 2>&1");
    const int status = std::system(command.c_str());
    output_ = Slurp(log);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::vector<TrainEvent> Events(const std::string& file) const {
    std::istringstream text(Slurp(file));
    std::vector<TrainEvent> events;
    for (std::string line; std::getline(text, line);) {
      const auto event = ParseEvent(line);
      EXPECT_TRUE(event.ok()) << line;
      if (event.ok()) events.push_back(*event);
    }
    return events;
  }
  const TinyRun tiny_;
  std::string program_;
  std::string output_;
};

TEST_F(CommandLineTest, HelpTeachesAndMistakesAreUsage) {
  EXPECT_EQ(Run("--help"), 0);
  EXPECT_THAT(output_, HasSubstr("init-model"));
  EXPECT_THAT(output_, HasSubstr("Exit codes"));
  EXPECT_EQ(Run("run --help"), 0);
  EXPECT_THAT(output_, HasSubstr("--resume"));
  EXPECT_EQ(Run("--version"), 0);
  EXPECT_THAT(output_, HasSubstr("fpo-train 0"));
  EXPECT_EQ(Run(""), 2);
  EXPECT_EQ(Run("run --job x --out y --colour"), 2);
  EXPECT_EQ(Run("score --model x"), 2);
  EXPECT_EQ(Run("run --job x --out y --device tpu"), 2);
}

TEST_F(CommandLineTest, ACheckWritesNothing) {
  WriteJob("check.yaml", "method: {name: dpo}\n", "checked");
  ASSERT_EQ(Run(absl::StrCat("prepare --check --job ", P("check.yaml"))), 0) << output_;
  EXPECT_THAT(output_, HasSubstr("rows are fine"));
  EXPECT_FALSE(fs::exists(P("checked")));
  ASSERT_EQ(Run(absl::StrCat("prepare --check --json --job - <", P("check.yaml"))), 0) << output_;
  const std::string json = output_.substr(output_.find('{'));  // behind what goes to stderr
  EXPECT_EQ(nlohmann::json::parse(json).at("problems").size(), 0u) << output_;
  std::ofstream(P("train.jsonl")) << "{\"prompt\": 1}\n";
  EXPECT_EQ(Run(absl::StrCat("prepare --check --job ", P("check.yaml"))), 3);
  EXPECT_THAT(output_, HasSubstr("data.train: 1 of 1 rows are malformed"));
  EXPECT_EQ(Run(absl::StrCat("prepare --job ", P("check.yaml"))), 2);
}

TEST_F(CommandLineTest, WholeRunByHand) {
  ASSERT_EQ(Run(absl::StrCat("sae --model ", P("base"), " --data ", P("train.jsonl"),
                             " --layer 1 --width 64 --steps 60 --batch-tokens 128 --target-l0 8"
                             " --max-length 64 --max-prompt-length 32 --out ",
                             P("sae2"))),
            0)
      << output_;
  WriteJob("fpo.yaml",
           absl::StrCat("sae: {path: ", P("sae2"), "}\nmethod: {name: fpo, beta: 2.0, top_k: 8}\n"),
           "fpo");
  ASSERT_EQ(Run(absl::StrCat("run --job ", P("fpo.yaml"), " --out ", P("fpo"))), 0) << output_;
  EXPECT_THAT(output_, HasSubstr("step 3/3"));
  for (const char* name : {"model/tokenizer.model", "report.html", "run.json", "reference.fpr"}) {
    EXPECT_TRUE(fs::exists(P("fpo/") + name)) << name;
  }
  EXPECT_EQ(Run(absl::StrCat("evaluate --job ", P("fpo.yaml"), " --model ", P("fpo/model"),
                             " --out ", P("evaluation.json"))),
            0)
      << output_;
  EXPECT_EQ(nlohmann::json::parse(Slurp(P("evaluation.json"))).at("eval_pairs"), 8);
  for (const char* path : {"fpo/model", "sae2", "fpo/reference.fpr", "fpo/checkpoints/step-2",
                           "fpo/prepared/train.safetensors"}) {
    EXPECT_EQ(Run(absl::StrCat("inspect ", P(path))), 0) << output_;
  }
  EXPECT_EQ(Run(absl::StrCat("run --job ", P("fpo.yaml"), " --out ", P("fpo"))), 3);
  EXPECT_THAT(output_, HasSubstr("--resume"));
  EXPECT_EQ(Run(absl::StrCat("run --job ", P("fpo.yaml"), " --out ", P("fpo"), " --resume")), 0);
}

// As the agent does it: events on descriptor 3, commands on 4.
TEST_F(CommandLineTest, PhasesBelowTheAgent) {
  const std::string agent = "FPO_ATTEMPT=a1";
  const std::string events = P("events.jsonl");
  // What runs the tests may have a file of its own at 4.
  const std::string events_alone = absl::StrCat("3>", events, " 4</dev/null");
  ASSERT_EQ(
      Run(absl::StrCat("prepare --job ", P("dpo.yaml"), " --out ", P("prep")), agent, events_alone),
      0)
      << output_;
  ASSERT_TRUE(fs::exists(P("prep/reference.keys")));
  const int64_t count = static_cast<int64_t>(fs::file_size(P("prep/reference.keys"))) / 32;
  TrainCommand command{"score", {}, P("records.fpr")};
  for (int64_t i = 0; i < count; ++i) command.ordinals.push_back(i);
  std::ofstream(P("commands.jsonl")) << EncodeCommand(command) << "\n";
  ASSERT_EQ(Run(absl::StrCat("score --job ", P("dpo.yaml"), " --prepared ", P("prep"), " --serve"),
                agent, absl::StrCat("3>", events, " 4<", P("commands.jsonl"))),
            0)
      << output_;
  EXPECT_EQ(Events(events).front().kind, EventKind::kHello);
  EXPECT_EQ(Events(events).back().kind, EventKind::kRecords);
  EXPECT_EQ(Events(events).back().count, count);
  ASSERT_EQ(Run(absl::StrCat("run --job ", P("dpo.yaml"), " --prepared ", P("prep"), " --out ",
                             P("dpo"), " --resume --reference ", P("records.fpr")),
                agent, events_alone),
            0)
      << output_;
  EXPECT_EQ(Events(events).back().kind, EventKind::kResult);
  EXPECT_EQ(Events(events).back().metrics.count("eval_rewards/accuracies"), 1u);
}

TEST_F(CommandLineTest, BadInputNamesTheThing) {
  const auto run = [&](const std::string& job) {
    return Run(absl::StrCat("run --job ", P(job), " --out ", P("out")));
  };
  WriteJob("key.yaml", "colour: red\n", "out");
  EXPECT_EQ(run("key.yaml"), 3);
  EXPECT_THAT(output_, HasSubstr("colour"));
  EXPECT_EQ(run("nowhere.yaml"), 3);
  EXPECT_THAT(output_, HasSubstr("nowhere.yaml"));
  std::ofstream(P("train.jsonl")) << "";
  EXPECT_EQ(run("dpo.yaml"), 3);
  WriteData("train.jsonl", 0, 24);
  EXPECT_EQ(Run(absl::StrCat("run --job ", P("dpo.yaml"), " --out /proc/out")), 9);
  fs::resize_file(P("base/model.safetensors"), 5000);
  EXPECT_EQ(run("dpo.yaml"), 3);
  EXPECT_THAT(output_, HasSubstr("model.safetensors"));
  fs::remove_all(P("base"));
  EXPECT_EQ(run("dpo.yaml"), 3);
  EXPECT_THAT(output_, HasSubstr("base"));
  EXPECT_FALSE(fs::exists(P("out/job.yaml")));
}

// As fpoctl does: the job file's folder, not the current one.
TEST_F(CommandLineTest, RelativePathsFollowTheJobFile) {
  fs::create_directories(P("jobs"));
  std::ofstream(P("jobs/job.yaml"))
      << "name: tiny\nmodel: {path: ../base, dtype: float32}\nmethod: {name: sft}\n"
      << "data: {train: [../train.jsonl], max_length: 64, max_prompt_length: 32}\n"
      << "batch: {pairs: 8}\nmax_steps: 1\n";
  EXPECT_EQ(Run(absl::StrCat("run --job ", P("jobs/job.yaml"), " --out ", P("relative"))), 0)
      << output_;
  std::ofstream(P("jobs/variable.yaml"))
      << "name: tiny\nmodel: {path: $FPO_TINY/base, dtype: float32}\nmethod: {name: sft}\n"
      << "data: {train: [~/train.jsonl], max_length: 64, max_prompt_length: 32}\n";
  const std::string prepare =
      absl::StrCat("prepare --job ", P("jobs/variable.yaml"), " --out ", P("variable"));
  EXPECT_EQ(Run(prepare, absl::StrCat("HOME=", P(""), " FPO_TINY=", P(""))), 0) << output_;
  EXPECT_EQ(Run(prepare, absl::StrCat("HOME=", P(""))), 3);
  EXPECT_THAT(output_, HasSubstr("variable.yaml:2: model.path: $FPO_TINY/base: the variable "
                                 "FPO_TINY is not set"));
  const std::string piped = absl::StrCat("--job - --out ", P("piped"));
  EXPECT_EQ(Run("prepare " + piped, absl::StrCat("cd ", P("jobs"), " &&"),
                absl::StrCat("< ", P("jobs/job.yaml"))),
            0)
      << output_;
}

TEST_F(CommandLineTest, AFailedStartNamesWhatIsMissingAndLeavesNothing) {
  WriteJob("missing.yaml", "method: {name: sft}\n", "out");
  fs::rename(P("base"), P("bases"));
  const std::string run = absl::StrCat("run --job ", P("missing.yaml"), " --out ", P("new/out"));
  EXPECT_EQ(Run(run), 3);
  EXPECT_THAT(output_, HasSubstr("model.path: there is no folder " + P("base")));
  EXPECT_THAT(output_, HasSubstr("did you mean " + P("bases") + "?"));
  EXPECT_THAT(output_, Not(HasSubstr("tokenizer.model")));
  EXPECT_FALSE(fs::exists(P("new")));
  EXPECT_EQ(Run(absl::StrCat("score --model ", P("base"), " --data ", P("train.jsonl"), " --out ",
                             P("score.jsonl"))),
            3);
  EXPECT_THAT(output_, HasSubstr("--model: there is no folder " + P("base")));
  fs::rename(P("bases"), P("base"));
  // Found only when the data is read, with the folder made already.
  std::ofstream(P("train.jsonl")) << "{\"prompt\": 1}\n";
  for (const std::string& command :
       {run, absl::StrCat("prepare --job ", P("missing.yaml"), " --out ", P("new/out")),
        absl::StrCat("evaluate --job ", P("missing.yaml"), " --out ", P("new/evaluation.json"))}) {
    EXPECT_EQ(Run(command), 3) << output_;
    EXPECT_FALSE(fs::exists(P("new/out"))) << command;
    EXPECT_FALSE(fs::exists(P("new/evaluation.json.prepared"))) << command;
  }
}

TEST_F(CommandLineTest, SigtermCheckpointsAndResumes) {
  WriteJob("long.yaml", "method: {name: simpo, beta: 2.0}\nepochs: 2000\n", "long");
  const std::string arguments = absl::StrCat("run --job ", P("long.yaml"), " --out ", P("long"));
  // The shell waits for the first line of metrics, asks the program to stop and hands on its code.
  const std::string stop =
      absl::StrCat("& pid=$!; until [ -s ", P("long/metrics.jsonl"),
                   " ] || ! kill -0 $pid; do sleep 0.02; done; kill -TERM $pid; wait $pid");
  const std::string command =
      absl::StrCat(program_, " ", arguments, " >", P("log.txt"), " 2>&1 ", stop);
  const int status = std::system(command.c_str());
  output_ = Slurp(P("log.txt"));
  EXPECT_EQ(WEXITSTATUS(status), 7) << output_;
  EXPECT_THAT(output_, HasSubstr("--resume"));
  EXPECT_EQ(Run(absl::StrCat(arguments, " --resume --max-steps 1")), 0) << output_;
}

}  // namespace
}  // namespace fpo::train
