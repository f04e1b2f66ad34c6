#include "ctl/show/comparison_page.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ctl/sample_job.h"
#include "tests/support/temp_folder.h"
#include "tests/support/web/browser.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using fpo::testing::Browser;
using ::testing::HasSubstr;
using ::testing::Not;

// A run of which every number depends on `seed`.
ComparedRun RunCalled(const std::string& name, int seed) {
  ComparedRun run;
  run.job = SampleMessage(absl::StrCat("j-", 1000 + seed), pb::JOB_STATE_SUCCEEDED);
  run.job.set_name(name);
  JobConfig config;
  config.name = absl::StrCat("run-", seed);  // the job's own name is hostile in one of them
  config.model.path = "/models/tiny";
  config.sae = {SaeSection{.path = "/saes/s"}};
  config.reference.source = "cached";
  config.output = "/runs/" + name;
  config.data.train = {"/data/train.jsonl"};
  config.optimizer.lr = 1e-6 * seed;
  run.job.mutable_spec()->set_config_json(WriteJobJson(config));
  for (int step = 1; step <= 60; ++step) {
    const double wave = 0.03 * std::sin(step * 1.7 + seed);
    run.curves.series["loss"].emplace_back(step, 0.7 - 0.004 * step * seed / 2 + wave);
    run.curves.series["rewards/accuracies"].emplace_back(step, 0.5 + 0.002 * step * seed + wave);
    run.curves.series["divergence/chosen"].emplace_back(step, 0.001 * step * seed);
    run.curves.series["step_seconds"].emplace_back(step, seed);
    run.curves.series["pairs"].emplace_back(step, 16);
    if (step % 10 != 0) continue;
    run.curves.series["eval_loss"].emplace_back(step, 0.69 - 0.001 * step * seed);
    run.curves.series["eval_rewards/accuracies"].emplace_back(step, 0.5 + 0.0018 * step * seed);
    run.curves.series["eval_kl/chosen"].emplace_back(step, 0.01 * step * seed * seed);
  }
  for (int i = 0; i < 100; ++i) {
    const double margin = std::sin(i * 0.37);
    absl::StrAppend(&run.pairs_jsonl, "{\"logps/chosen\":", 50 * margin,
                    ",\"logps/rejected\":0,\"tokens/chosen\":50,\"tokens/rejected\":50,"
                    "\"divergence/chosen\":0,\"divergence/rejected\":",
                    0.01 * seed * margin + 0.01 * std::cos(i), "}\n");
  }
  return run;
}

std::vector<ComparedRun> FourRuns() {
  return {RunCalled("dpo", 1), RunCalled("fpo", 2), RunCalled("fpo </script>", 3),
          RunCalled("tdpo2", 4)};
}

ComparedRun SamplingRun(const std::string& kind, double temperature) {
  ComparedRun run;
  run.job.set_job_id(absl::StrCat(kind, "-", temperature));
  run.job.set_kind(kind == "judge" ? pb::JOB_KIND_JUDGE : pb::JOB_KIND_GENERATE);
  JobConfig config;
  config.name = "sampling";
  config.kind = kind;
  config.reference.source = "none";
  config.model.path = "/models/m";
  config.output = absl::StrCat("/out/", kind, temperature);
  config.generate.prompts = "/p.jsonl";
  config.generate.temperature = temperature;
  config.judge.outputs = absl::StrCat("/out/generate", temperature, "/answers.jsonl");
  config.judge.baseline = "/b.jsonl";
  if (kind == "judge") {
    config.generate = {};
    (*run.job.mutable_result())["win_rate"] = 60 - 10 * temperature;
  } else {
    config.judge = {};
  }
  run.job.mutable_spec()->set_config_json(WriteJobJson(config));
  return run;
}

TEST(ComparisonPageTest, HasFinalValuesCurvesAndDifferences) {
  const std::string html = RenderComparisonPage(FourRuns());
  EXPECT_THAT(html, HasSubstr("<h1>Comparison of 4 jobs</h1>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">eval_rewards/accuracies</th><td>0.913</td>"));
  EXPECT_THAT(html, HasSubstr("Accuracy against KL of the chosen response, nats"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">optimizer.lr</th><td>1e-06</td><td>2e-06</td>"
                              "<td>3e-06</td><td>4e-06</td>"));
  EXPECT_THAT(html, HasSubstr("Divergence margin against log-probability margin"));
  EXPECT_THAT(html, Not(HasSubstr("fpo </script>")));
}

TEST(ComparisonPageTest, SaysWhatIsMissing) {
  ComparedRun bare;
  bare.job = SampleMessage("j-1", pb::JOB_STATE_FAILED);
  bare.job.mutable_spec()->set_config_json("{\"from\": \"the future\"}");
  bare.pairs_are_missing = "worker w1 <is> away";
  ComparedRun same_name = bare;
  same_name.job.set_job_id("j-2");
  const std::string html = RenderComparisonPage({bare, same_name});
  EXPECT_THAT(html, HasSubstr("tiny-fpo (j-1)</th>")) << "two jobs of one name";
  EXPECT_THAT(html, HasSubstr("could not be fetched: worker w1 &lt;is&gt; away"));
  EXPECT_THAT(html, HasSubstr("the job file of tiny-fpo (j-1), tiny-fpo (j-2)"));
  EXPECT_THAT(html, HasSubstr("No numbers of steps."));
}

TEST(ComparisonPageTest, WinRatesByTheTemperatureOfTheAnswers) {
  const std::string html =
      RenderComparisonPage({SamplingRun("generate", 0.5), SamplingRun("generate", 1),
                            SamplingRun("judge", 0.5), SamplingRun("judge", 1)});
  EXPECT_THAT(html, HasSubstr("<h2>By temperature</h2>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">/models/m</th><td>55 (at 0.5)</td>"));
  EXPECT_THAT(RenderComparisonPage(FourRuns()), Not(HasSubstr("By temperature")));
}

class ComparisonBrowserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Browser::IsInstalled()) GTEST_SKIP() << "no chromium";
  }
  std::string Visit(const std::string& script, const Browser::View& view, const std::string& name) {
    return Browser(folder_.path())
        .Visit(RenderComparisonPage(FourRuns()), fpo::testing::kChartMouse + script, view, name);
  }
  fpo::testing::TempFolder folder_;
};

TEST_F(ComparisonBrowserTest, RunsAndAxisCanBeChosen) {
  const std::string said = Visit(R"js(
    const loss = plotOf('Loss'), select = document.querySelector('#controls select');
    const choose = value => { select.value = value; select.dispatchEvent(new Event('change')); };
    const step = hover(loss);
    choose('seconds');
    const time = hover(loss);
    choose('divergence/chosen');
    const divergence = hover(loss);
    document.querySelector('#controls input').click();
    return [step, time, divergence, hover(loss)].map(t => t.replace(/\s+/g, ' ')).join('\n') +
        '\n' + [...select.options].map(o => o.value);)js",
                                 {}, "compare-light");
  const std::vector<std::string> lines = absl::StrSplit(said, '\n');
  ASSERT_EQ(lines.size(), 5u) << said;
  EXPECT_THAT(lines[0], ::testing::ContainsRegex("dpo 0\\..* step 3[01]"));
  EXPECT_THAT(lines[1], ::testing::ContainsRegex("at [0-9.]+ (s|min)"));
  EXPECT_THAT(lines[2], HasSubstr("at 0.1"));
  EXPECT_THAT(lines[2], HasSubstr("dpo 0."));
  EXPECT_THAT(lines[3], Not(HasSubstr("dpo 0."))) << "the first run is hidden";
  EXPECT_EQ(lines[4], "step,seconds,pairs,kl/chosen,divergence/chosen");
}

TEST_F(ComparisonBrowserTest, CurvesCanBeUnsmoothedLogarithmicAndOverPairs) {
  const std::string said = Visit(R"js(
    const loss = plotOf('Loss'), select = document.querySelector('#controls select');
    const toggle = text => [...document.querySelectorAll('#controls label')]
        .find(label => label.textContent === text).querySelector('input').click();
    const heights = () => [...loss.querySelectorAll('.dygraph-axis-label-y')]
        .map(label => label.parentElement.style.top).join();
    const mean = hover(loss), linear = heights();
    toggle('smooth');
    const raw = hover(loss);
    toggle('log scale');
    const log = heights(), same = hover(loss);
    select.value = 'pairs'; select.dispatchEvent(new Event('change'));
    return [mean !== raw, raw === same, linear !== log, hover(loss).includes('pairs')].join();)js",
                                 {}, "compare-log");
  EXPECT_EQ(said, "true,true,true,true");
}

TEST_F(ComparisonBrowserTest, APhoneScrollsOneWay) {
  for (const bool dark : {false, true}) {
    EXPECT_EQ(Visit("return document.documentElement.scrollWidth;",
                    {.width = 360, .height = 6000, .dark = dark},
                    absl::StrCat("compare-phone-", dark ? "dark" : "light")),
              "360");
  }
}

}  // namespace
}  // namespace fpo::ctl
