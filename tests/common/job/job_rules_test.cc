#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

JobConfig Valid() {
  JobConfig config;
  config.name = "a";
  config.model.path = "/m";
  config.output = "/o";
  config.data.train = {"/d"};
  config.data.eval = {"/e"};
  config.reference.source = "cached";
  config.sae = {{"/s", std::nullopt, ""}};
  return config;
}

std::string FirstKey(const JobConfig& config) {
  const auto problems = ValidateJob(config);
  return problems.empty() ? "" : problems[0].key;
}

TEST(JobRules, AValidJobHasNoProblem) { EXPECT_EQ(FirstKey(Valid()), ""); }

TEST(JobRules, EachRuleNamesItsKey) {
  const auto with = [](auto change) {
    JobConfig config = Valid();
    change(config);
    return FirstKey(config);
  };
  EXPECT_EQ(with([](JobConfig& c) { c.name = "A b"; }), "name");
  EXPECT_EQ(with([](JobConfig& c) { c.name = std::string(64, 'a'); }), "name");
  EXPECT_EQ(with([](JobConfig& c) { c.model.path = ""; }), "model.path");
  EXPECT_EQ(with([](JobConfig& c) { c.output = ""; }), "output");
  EXPECT_EQ(with([](JobConfig& c) {
              c.activation_checkpointing = true;
              c.activation_checkpointing_layers = 2;
            }),
            "activation_checkpointing_layers");
  EXPECT_EQ(with([](JobConfig& c) { c.activation_checkpointing_layers = 2; }), "");
  EXPECT_EQ(with([](JobConfig& c) { c.data.train.clear(); }), "data.train");
  EXPECT_EQ(with([](JobConfig& c) { c.resources.min_slots = 2; }), "resources.min_slots");
  EXPECT_EQ(with([](JobConfig& c) { c.data.max_prompt_length = 1024; }), "data.max_prompt_length");
  EXPECT_EQ(with([](JobConfig& c) { c.sae.clear(); }), "sae");
  EXPECT_EQ(with([](JobConfig& c) { c.reference.source = "none"; }), "reference.source");
  EXPECT_EQ(with([](JobConfig& c) { c.method.name = "simpo"; }), "reference.source");
  EXPECT_EQ(with([](JobConfig& c) { c.method.name = "tdpo2"; }), "reference.source");
  EXPECT_EQ(with([](JobConfig& c) { c.method.features = "hidden"; }), "sae.path");
  EXPECT_EQ(with([](JobConfig& c) {
              c.method.features = "hidden";
              c.sae = {{"", 3, ""}};
            }),
            "sae");
  EXPECT_EQ(with([](JobConfig& c) {
              c.method.feature_weights = "/w";
              c.sae.push_back(c.sae[0]);
            }),
            "method.feature_weights");
  EXPECT_EQ(with([](JobConfig& c) {
              c.features.explanations = "/labels";
              c.sae.push_back(c.sae[0]);
            }),
            "features.explanations");
  EXPECT_EQ(with([](JobConfig& c) { c.reference.features = "top"; }), "reference.features");
  EXPECT_EQ(with([](JobConfig& c) { c.kind = "sae"; }), "sae");
  EXPECT_EQ(with([](JobConfig& c) {
              c.kind = "evaluate";
              c.data.eval.clear();
            }),
            "data.eval");
  EXPECT_EQ(with([](JobConfig& c) { c.optimizer.betas = {0.9}; }), "optimizer.betas");
  EXPECT_EQ(with([](JobConfig& c) { c.optimizer.lr = 0; }), "optimizer.lr");
}

TEST(JobRules, ARunWithAnSaeAndHeldOutDataMakesFeatures) {
  JobConfig job = Valid();
  EXPECT_TRUE(MakesFeatures(job));
  job.method.name = "dpo";
  EXPECT_TRUE(MakesFeatures(job)) << "any method";
  const auto without = [&](auto change) {
    JobConfig other = job;
    change(other);
    return MakesFeatures(other);
  };
  EXPECT_FALSE(without([](JobConfig& c) { c.kind = "evaluate"; }));
  EXPECT_FALSE(without([](JobConfig& c) { c.sae.clear(); }));
  EXPECT_FALSE(without([](JobConfig& c) { c.data.eval.clear(); }));
  EXPECT_FALSE(without([](JobConfig& c) { c.features.top = 0; }));
  EXPECT_FALSE(without([](JobConfig& c) { c.method.features = "hidden"; }));
}

TEST(JobRules, OnlineReferencesOfMethodsThatNeedNone) {
  JobConfig config = Valid();
  config.reference.source = "online";
  for (const char* method : {"simpo", "simpo_kl", "tdpo1", "tdpo2", "dpo"}) {
    config.method.name = method;
    EXPECT_EQ(FirstKey(config), "") << method;
  }
  config.method.name = "sft";
  EXPECT_EQ(FirstKey(config), "reference.source");
}

// Parts of a method that contradict each other.
TEST(JobRules, LossConstraintAndSftTermFitTheMethod) {
  const auto problem = [](const char* name, auto change) {
    JobConfig config = Valid();
    config.method.name = name;
    change(config.method);
    config.reference.source = DefaultReferenceSource(config.method);
    if (!ComparesFeatures(config.method)) config.sae.clear();
    const auto problems = ValidateJob(config);
    return problems.empty() ? "" : problems[0].key + ": " + problems[0].message;
  };
  using M = MethodSection;
  using ::testing::HasSubstr;
  const auto loss = [](const char* name) { return [name](M& m) { m.loss = name; }; };
  const auto constraint = [](const char* name) { return [name](M& m) { m.constraint = name; }; };
  for (const char* name : {"dpo", "ln_dpo", "simpo"}) {
    EXPECT_EQ(problem(name, constraint("features")), "") << name;
    EXPECT_EQ(problem(name, constraint("none")), "") << name;
    EXPECT_EQ(problem(name, loss("hinge")), "") << name;
    EXPECT_THAT(problem(name, constraint("kl")), HasSubstr("tdpo1, tdpo2 and simpo_kl")) << name;
  }
  EXPECT_THAT(problem("fpo", constraint("none")), HasSubstr("method.name: ln_dpo"));
  EXPECT_THAT(problem("tdpo2", constraint("features")), HasSubstr("method.name: dpo"));
  EXPECT_THAT(problem("simpo_kl", constraint("none")), HasSubstr("method.name: simpo"));
  for (const char* name : {"sft", "orpo", "kto"}) {
    EXPECT_THAT(problem(name, constraint("features")), HasSubstr("method.constraint")) << name;
    EXPECT_THAT(problem(name, loss("hinge")), HasSubstr("a loss of its own")) << name;
    EXPECT_THAT(problem(name, [](M& m) { m.sft_weight = 1; }), HasSubstr("method.sft_weight"));
  }
  for (const char* name : {"ln_dpo", "fpo"}) EXPECT_EQ(problem(name, loss("ipo")), "") << name;
  for (const char* name : {"dpo", "simpo", "simpo_kl", "tdpo1"}) {
    EXPECT_THAT(problem(name, loss("ipo")), HasSubstr("ln_dpo or fpo")) << name;
  }
  for (const char* name : {"ipo", "hinge"}) {
    EXPECT_THAT(problem("ln_dpo",
                        [&](M& m) {
                          m.loss = name;
                          m.label_smoothing = 0.1;
                        }),
                HasSubstr("method.label_smoothing: is of the losses sigmoid and robust"));
  }
  EXPECT_THAT(problem("dpo", loss("robust")), HasSubstr("method.label_smoothing: robust"));
  EXPECT_EQ(problem("dpo",
                    [](M& m) {
                      m.loss = "robust";
                      m.label_smoothing = 0.1;
                    }),
            "");
  EXPECT_EQ(problem("dpo", [](M& m) { m.sft_weight = 0.5; }), "");
  EXPECT_EQ(problem("kto", [](M& m) { m.desirable_weight = 1.33; }), "");
  EXPECT_THAT(problem("kto", [](M& m) { m.desirable_weight = m.undesirable_weight = 0; }),
              HasSubstr("nothing is trained"));
}

TEST(JobRules, AConstraintOnFeaturesNeedsSaeAndReference) {
  JobConfig config = Valid();
  config.method.name = "simpo";
  config.method.constraint = "features";
  EXPECT_EQ(FirstKey(config), "");
  config.reference.source = "none";
  ASSERT_EQ(FirstKey(config), "reference.source");
  EXPECT_EQ(ValidateJob(config)[0].message,
            "method simpo with constraint: features needs a reference: cached or online");
  config.reference.source = "cached";
  config.sae.clear();
  EXPECT_EQ(FirstKey(config), "sae");
  config.sae = {{"/s", std::nullopt, ""}};
  config.reference.features = "top";
  EXPECT_EQ(FirstKey(config), "reference.features");
  config.method.feature_selection = "reference";
  EXPECT_EQ(FirstKey(config), "");
  config.method.top_k = 51;
  EXPECT_EQ(FirstKey(config), "reference.features_top");
}

TEST(JobRules, AGenerateJobNeedsPromptsAndNothingOfTraining) {
  JobConfig config;
  config.name = "answers";
  config.kind = "generate";
  config.model.path = "/m";
  config.output = "/out";
  config.reference.source = "none";
  ASSERT_EQ(ValidateJob(config).size(), 1u);
  EXPECT_EQ(ValidateJob(config)[0].key, "generate.prompts");
  config.generate.prompts = "/p.jsonl";
  EXPECT_TRUE(ValidateJob(config).empty());
  config.reference.source = "cached";
  ASSERT_EQ(ValidateJob(config).size(), 1u);
  EXPECT_EQ(ValidateJob(config)[0].key, "reference.source");
}

TEST(JobRules, ANewNameIsNeitherAFlagNorAnId) {
  for (const char* name : {"a", "7", "a-b", "run-1", "j", "jj-1"}) {
    EXPECT_TRUE(CheckNewName(name).empty()) << name;
  }
  for (const char* name : {"-q", "a-", "-", "j-", "j-0k3", "j-a"}) {
    ASSERT_EQ(CheckNewName(name).size(), 1u) << name;
    EXPECT_EQ(CheckNewName(name)[0].key, "name");
  }
  JobConfig config = Valid();
  config.name = "j-old";
  EXPECT_EQ(FirstKey(config), "") << "a job that an earlier version took still runs";
}

TEST(JobRules, AJudgeIsAModelOrAServer) {
  JobConfig config;
  config.name = "judged";
  config.kind = "judge";
  config.output = "/out";
  config.reference.source = "none";
  const auto keys = [&] {
    std::string text;
    for (const JobProblem& problem : ValidateJob(config)) text += problem.key + " ";
    return text;
  };
  EXPECT_EQ(keys(), "model.path judge.outputs judge.baseline ");
  config.judge.outputs = "/a.json";
  config.judge.baseline = "/b.json";
  config.model.path = "/m";
  EXPECT_EQ(keys(), "");
  config.judge.url = "https://host/v1";
  EXPECT_EQ(keys(), "judge.model model.path ");
  config.judge.model = "big";
  config.model.path = "";
  EXPECT_EQ(keys(), "");
  config.judge.key_file = "/key";
  EXPECT_EQ(keys(), "");
  config.judge.url = "";
  EXPECT_EQ(keys(), "model.path judge.model judge.key_file ");
  config.reference.source = "cached";
  EXPECT_EQ(keys(), "model.path judge.model judge.key_file reference.source ");
}

TEST(ValidateJob, GradesAndRatingsAreOfAServer) {
  JobConfig config;
  config.name = "rated";
  config.kind = "judge";
  config.output = "/out";
  config.reference.source = "none";
  config.model.path = "/m";
  config.judge.outputs = "/a.jsonl";
  config.judge.baseline = "/b.jsonl";
  config.judge.kind = "grades";
  const auto keys = [&] {
    std::string text;
    for (const JobProblem& problem : ValidateJob(config)) text += problem.key + " ";
    return text;
  };
  EXPECT_EQ(keys(), "judge.url ");
  config.model.path = "";
  config.judge.url = "https://host/v1";
  config.judge.model = "big";
  EXPECT_EQ(keys(), "");
  config.judge.kind = "rating";
  EXPECT_EQ(keys(), "judge.questions judge.baseline ");
  config.judge.questions = "/q.jsonl";
  config.judge.baseline = "";
  EXPECT_EQ(keys(), "");
  config.judge.kind = "pairwise";
  EXPECT_EQ(keys(), "judge.baseline judge.questions ");
}

}  // namespace
}  // namespace fpo
