// fpoctl init with and without something to look at.
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/job/job_file.h"
#include "ctl/init/init_job.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class InitTest : public CommandRun {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  std::string Put(const std::string& name, const std::string& bytes) const {
    const std::string path = folder_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string PutModel(const std::string& name, const json& config) const {
    Put(name + "/config.json", config.dump());
    Put(name + "/tokenizer.model", "");
    Put(name + "/model.safetensors", "");
    return folder_ + "/" + name;
  }
  std::string PutGemma3() const {
    return PutModel("Gemma-3-270M", {{"model_type", "gemma3_text"},
                                     {"num_hidden_layers", 18},
                                     {"hidden_size", 640},
                                     {"max_position_embeddings", 32768}});
  }
  std::string PutSae(int64_t layer, int64_t width) const {
    Put("sae/params.npz", "");
    const std::string hook = absl::StrCat("model.layers.", layer, ".output");
    Put("sae/config.json", json({{"type", "sae"},
                                 {"architecture", "jump_relu"},
                                 {"hf_hook_point_in", hook},
                                 {"d_in", width},
                                 {"width", 2048}})
                               .dump());
    return folder_ + "/sae";
  }
  std::string PutRows(const std::string& name, int rows) const {
    std::string text;
    for (int i = 0; i < rows; ++i) {
      absl::StrAppend(&text, R"({"prompt":"p","chosen":"c","rejected":"r"})", "\n");
    }
    return Put(name, text);
  }
  // The job that the printed file gives.
  JobConfig Job(const Result& result) const {
    const auto job = LoadJob({result.out, "job.yaml", folder_, {}});
    EXPECT_TRUE(job.ok()) << job.status() << "\n" << result.out << result.err;
    return job.ok() ? job->config : JobConfig();
  }
};

TEST_F(InitTest, FillsInAJobThatIsValidAndSaysWhy) {
  const std::string model = PutGemma3(), sae = PutSae(12, 640);
  const std::string train = PutRows("data/train.jsonl", 640);
  const std::string test = PutRows("data/test.jsonl", 20);
  const Result result = Run({"init", "fpo", "--model", model, "--sae", sae, "--data", train});
  ASSERT_EQ(result.code, 0) << result.err;
  const JobConfig job = Job(result);
  EXPECT_EQ(job.name, "gemma-3-270m-fpo");
  EXPECT_EQ(job.model.path, model);
  EXPECT_EQ(job.sae.at(0).path, sae);
  EXPECT_EQ(job.sae.at(0).layer, 12);
  EXPECT_EQ(job.sae.at(0).site, "resid_post");
  EXPECT_EQ(job.data.train.at(0), train);
  EXPECT_EQ(job.method.beta, 2);
  EXPECT_EQ(job.method.alpha, 0.001);
  EXPECT_EQ(job.schedule.warmup_steps, 640 / job.batch.pairs / 10);
  EXPECT_TRUE(job.data.eval.empty()) << "found, and not asked for";
  EXPECT_THAT(result.out, HasSubstr(absl::StrCat("# eval: [", test, "]")));
  EXPECT_THAT(result.err, HasSubstr(absl::StrCat("found, not set: data.eval: [", test, "]")));
  EXPECT_THAT(result.err, HasSubstr("chose method.alpha: 0.001  (D, the squared distance"));
  const Result valid = Run({"validate", Put("job.yaml", result.out), "--strict-files"});
  EXPECT_EQ(valid.code, 0) << valid.err;
}

TEST_F(InitTest, TheDeviceAndTheFamilyDecide) {
  const std::string model =
      PutModel("tiny", {{"model_type", "gemma2"}, {"max_position_embeddings", 512}});
  const auto choose = [&](const std::string& method, bool gpu) {
    const auto choices = ChooseForJob({method, model, {}, {}, "", gpu});
    EXPECT_TRUE(choices.ok()) << choices.status();
    const auto job = ReadJobYaml(*JobTemplate(method, *choices), "job.yaml");
    EXPECT_TRUE(job.ok()) << job.status();
    return *job;
  };
  EXPECT_EQ(choose("fpo", false).model.dtype, "float32");
  EXPECT_EQ(choose("fpo", true).model.dtype, "bfloat16");
  EXPECT_EQ(choose("fpo", true).method.alpha, 0.5);
  EXPECT_EQ(choose("dpo", true).method.beta, 0.1);
  EXPECT_EQ(choose("dpo", true).data.max_length, 512);
  EXPECT_LT(choose("dpo", true).data.max_prompt_length, 512);
  EXPECT_EQ(choose("sft", true).name, "tiny-sft");
}

TEST_F(InitTest, ACpuGetsABatchAndALengthThatItCanDoAndIsToldSo) {
  const InitRequest cpu{"fpo", PutGemma3(), {PutRows("train.jsonl", 640)}, {}, ""};
  InitRequest gpu = cpu;
  gpu.has_gpu = true;
  const auto choose = [](const InitRequest& request) {
    const auto choices = ChooseForJob(request);
    EXPECT_TRUE(choices.ok()) << choices.status();
    return *choices;
  };
  const auto job = [&](const InitRequest& request) {
    return *ReadJobYaml(*JobTemplate(request.method, choose(request)), "job.yaml");
  };
  EXPECT_EQ(job(cpu).batch.pairs, 8);
  EXPECT_EQ(job(cpu).data.max_length, 256);
  EXPECT_EQ(job(cpu).data.max_prompt_length, 128);
  EXPECT_EQ(job(cpu).schedule.warmup_steps, 8) << "a tenth of 640 / 8";
  EXPECT_EQ(job(gpu).batch.pairs, 32);
  EXPECT_EQ(job(gpu).data.max_length, 1024);
  EXPECT_EQ(job(gpu).data.max_prompt_length, 512);
  EXPECT_EQ(job(gpu).schedule.warmup_steps, 2);
  std::map<std::string, std::string> reasons;
  for (const TemplateChoice& choice : choose(cpu)) reasons[choice.key] = choice.reason;
  for (const char* key : {"batch.pairs", "data.max_length"}) {
    EXPECT_THAT(reasons[key], HasSubstr("this machine has no NVIDIA GPU")) << key;
    EXPECT_THAT(reasons[key], HasSubstr("or workers with GPUs take")) << key;
  }
  InitRequest sae = cpu;
  sae.method = "sae";
  EXPECT_EQ(job(sae).data.max_length, 256);
  for (const TemplateChoice& choice : choose(sae)) EXPECT_NE(choice.key, "batch.pairs");
}

TEST_F(InitTest, EveryTemplateCanBeFilledIn) {
  const std::string model = PutGemma3(), train = PutRows("train.jsonl", 3);
  for (const char* name : {"sft", "dpo", "ln_dpo", "simpo", "simpo_kl", "tdpo1", "tdpo2", "fpo",
                           "orpo", "kto", "sae", "reference", "evaluate", "generate", "judge"}) {
    const Result result = Run({"init", name, "--model", model, "--data", train});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(Job(result).model.path, model) << name;
  }
  const JobConfig sae = Job(Run({"init", "sae", "--model", model, "--data", train}));
  EXPECT_EQ(sae.sae.at(0).layer, 12);
}

TEST_F(InitTest, AJobThatGeneratesKnowsTheBenchmarksFiles) {
  const std::string model = PutGemma3();
  const auto init = [&](const std::string& prompts) {
    return Job(Run({"init", "generate", "--model", model, "--data", prompts}));
  };
  const std::string plain = Put("plain.jsonl", "{\"prompt\": \"x\"}\n");
  EXPECT_EQ(init(plain).generate.prompts, plain);
  EXPECT_EQ(init(plain).generate.format, "jsonl");
  EXPECT_EQ(
      init(Put("m.jsonl", "{\"question_id\": 1, \"turns\": [\"a\", \"b\"]}\n")).generate.format,
      "mt_bench");
  EXPECT_EQ(init(Put("a.jsonl", "{\"uid\": \"u\", \"prompt\": \"a\"}\n")).generate.format,
            "arena_hard");
  EXPECT_EQ(
      init(Put("e.json", "[\n {\"instruction\": \"a}\", \"generator\": \"g\"}]")).generate.format,
      "alpaca_eval");
  EXPECT_EQ(Run({"init", "generate", "--model", model, "--data", plain, "--eval", plain}).code, 2);
}

TEST_F(InitTest, AJobThatJudgesComparesTwoFiles) {
  const std::string model = PutGemma3(), mine = Put("mine.json", "[]"),
                    theirs = Put("b.json", "[]");
  const Result result =
      Run({"init", "judge", "--model", model, "--data", mine, "--baseline", theirs});
  const JobConfig job = Job(result);
  EXPECT_EQ(job.kind, "judge");
  EXPECT_EQ(job.model.path, model);
  EXPECT_EQ(job.judge.outputs, mine);
  EXPECT_EQ(job.judge.baseline, theirs);
  EXPECT_THAT(result.err, Not(HasSubstr("max_length"))) << "it is of training";
  EXPECT_EQ(Run({"init", "judge", "--model", model, "--data", mine, "--data", theirs}).code, 2);
  EXPECT_EQ(Run({"init", "judge", "--model", model, "--eval", theirs}).code, 2);
  EXPECT_EQ(Run({"init", "judge", "--baseline", folder_ + "/none.json"}).code, 4);
  EXPECT_EQ(Run({"init", "dpo", "--baseline", theirs}).code, 2);
}

TEST_F(InitTest, SeveralDataFilesAndHeldOutOnesThatAreAskedFor) {
  const std::string a = PutRows("a b.jsonl", 1), b = PutRows("b.jsonl", 1);
  const std::string e = PutRows("e.jsonl", 1);
  for (const auto& data :
       std::vector<std::vector<std::string>>{{"--data", a, "--data", b}, {"--data", a, b}}) {
    std::vector<std::string> words = {"init", "dpo", "--eval", e};
    words.insert(words.end(), data.begin(), data.end());
    const JobConfig job = Job(Run(words));
    EXPECT_THAT(job.data.train, ::testing::ElementsAre(a, b));
    EXPECT_THAT(job.data.eval, ::testing::ElementsAre(e));
  }
}

TEST_F(InitTest, ChatTemplatesAndPlainRowsAreSpokenOf) {
  const std::string model = PutGemma3(), train = PutRows("train.jsonl", 3);
  const Result result = Run({"init", "dpo", "--model", model, "--data", train});
  EXPECT_THAT(result.err, HasSubstr("found, not set: data.template: gemma"));
  EXPECT_EQ(Job(result).data.template_name, "auto");
  Put("Gemma-3-270M/chat_template.jinja", "x");
  const Result own = Run({"init", "dpo", "--model", model, "--data", train});
  EXPECT_THAT(own.err, Not(HasSubstr("data.template"))) << "auto uses the model's own";
}

TEST_F(InitTest, AnSaeThatDoesNotSayItsPlaceLeavesThatToTheUser) {
  Put("x.npz", "");
  const Result result = Run({"init", "fpo", "--sae", folder_ + "/x.npz"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("says the layer: set it"));
  EXPECT_FALSE(Job(result).sae.at(0).layer.has_value());
}

TEST_F(InitTest, WrongThingsAreNamed) {
  const std::string model = PutGemma3();
  const auto fails = [&](const std::vector<std::string>& more, int code, const std::string& what) {
    std::vector<std::string> words = {"init", "fpo"};
    words.insert(words.end(), more.begin(), more.end());
    const Result result = Run(words);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(what));
    EXPECT_EQ(result.out, "");
  };
  fails({"--model", folder_ + "/Gemma-3-270"}, 4, "did you mean");
  fails({"--model", "google/gemma-3-270m"}, 4, "huggingface-cli download google/gemma-3-270m");
  fails({"--model", Put("file", "")}, 3, "is a file; expected a folder");
  fails({"--model", fs::path(Put("empty/x", "")).parent_path().string()}, 3, "no config.json");
  fails({"--model", PutModel("llama4", {{"model_type", "llama4"}})}, 3, "type \"llama4\"");
  fails({"--model", PutModel("broken", json::array())}, 3, "not a JSON object");
  fails({"--data", folder_ + "/none.jsonl"}, 4, "there is no file");
  fails({"--data", Put("rows.csv", "")}, 3, "tables are not read");
  fails({"--sae", folder_ + "/none.npz"}, 4, "there is no file or folder");
  fails({"--sae", Put("sae.pt", "")}, 3, "pickle");
  fails({"--model", model, "--sae", PutSae(20, 640)}, 3,
        "reads layer 20 but the model has layers 0-17");
  fails({"--model", model, "--sae", PutSae(3, 2304)}, 3,
        "is 2304 wide but site resid_post of layer 3 of the model is 640 wide");
  EXPECT_EQ(Run({"init", "dpo", "--sae", PutSae(3, 640)}).code, 2);
  EXPECT_EQ(Run({"init", "sae", "--sae", PutSae(3, 640)}).code, 2);
  const Result unknown = Run({"init", "ppo", "--model", model});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("simpo_kl"));
}

TEST_F(InitTest, QuietPrintsTheFileAlone) {
  const Result result = Run({"init", "dpo", "--model", PutGemma3(), "-q"});
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("# init chose: "));
}

}  // namespace
}  // namespace fpo::ctl
