// Reports in a real browser: no faults, values under the pointer, zoom, no sideways scrolling.
#include <cmath>
#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "absl/strings/str_cat.h"
#include "tests/support/web/browser.h"
#include "tests/train/support/scratch_folder.h"
#include "train/report/run_report.h"

namespace fpo::train {
namespace {

using ::fpo::testing::Browser;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// Like the metrics of an fpo run: `evaluate_every` 0: never.
std::string SyntheticMetrics(int steps, int evaluate_every) {
  std::string text;
  for (int step = 1; step <= steps; ++step) {
    const double done = static_cast<double>(step) / steps;
    const double wave = 0.05 * std::sin(step * 1.7) + 0.03 * std::cos(step * 0.31);
    absl::StrAppend(
        &text, "{\"step\":", step, ",\"loss\":", 0.69 - 0.3 * done + wave,
        ",\"rewards/chosen\":", done + wave, ",\"rewards/rejected\":", -done + wave,
        ",\"rewards/margins\":", 2 * done + wave,
        ",\"rewards/accuracies\":", 0.5 + 0.3 * done + wave, ",\"logps/chosen\":", -300 - 9 * done,
        ",\"logps/rejected\":", -310 - 40 * done, ",\"divergence/chosen\":", 0.02 * done,
        ",\"divergence/rejected\":", 0.05 * done, ",\"entropy\":", 2.1 - done,
        ",\"grad_norm\":", step == 7 ? 90.0 : 2 + wave,
        ",\"lr\":5e-07,\"tokens\":9000,\"pairs\":32,\"step_seconds\":1.5,"
        "\"cache_wait_seconds\":0.01,\"memory_peak_bytes\":2147483648,\"constraint/alpha\":",
        0.5 + 0.1 * done, "}\n");
    if (evaluate_every > 0 && step % evaluate_every == 0) {
      absl::StrAppend(&text, "{\"step\":", step, ",\"eval_loss\":", 0.7 - 0.25 * done,
                      ",\"eval_rewards/accuracies\":", 0.5 + 0.25 * done,
                      ",\"eval_rewards/margins\":", 1.5 * done, ",\"eval_kl/chosen\":", 3 * done,
                      ",\"eval_kl/rejected\":", 5 * done, ",\"eval_kl/margin\":", 0.2 * done,
                      ",\"eval_divergence/chosen\":", 0.02 * done, "}\n");
    }
  }
  return text;
}

std::string SyntheticPairs() {
  std::string text;
  for (int i = 0; i < 400; ++i) {
    const double margin = std::sin(i * 0.37) + 0.4 * std::cos(i * 1.9);
    absl::StrAppend(&text, "{\"logps/chosen\":", 50 * margin - 200,
                    ",\"logps/rejected\":-200,\"tokens/chosen\":50,\"tokens/rejected\":50,",
                    "\"divergence/chosen\":0.02,\"divergence/rejected\":",
                    0.02 + 0.01 * margin + 0.01 * std::sin(i), "}\n");
  }
  return text;
}

RunFiles SyntheticRun(int steps, int evaluate_every) {
  RunFiles files;
  files.metrics_jsonl = SyntheticMetrics(steps, evaluate_every);
  files.run_json = absl::StrCat(
      R"({"job":"a </script><!-- run","method":"fpo","finished":true,"total_steps":)", steps,
      R"(,"reference":{"source":"records","records_computed":200,"records_reused":600},)"
      R"("timings":{"prepare_seconds":3,"load_seconds":8,"reference_seconds":40,)"
      R"("train_seconds":99},)"
      R"("warnings":["alpha is large"],"model":{"path":"/models/)",
      std::string(120, 'm'), "\"}}");
  files.admission_json = R"({"train":{"rows":100,"dropped":{"empty_prompt":3}}})";
  files.job_yaml = "name: x\n";
  if (evaluate_every > 0) files.pairs_jsonl = SyntheticPairs();
  files.pairs_step = steps;
  return files;
}

class ReportBrowserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Browser::IsInstalled()) GTEST_SKIP() << "no chromium";
  }
  std::string Visit(const RunFiles& files, const std::string& script, const Browser::View& view,
                    const std::string& name) {
    const auto html = RenderRunReport(files);
    EXPECT_TRUE(html.ok()) << html.status();
    return Browser(folder_.path()).Visit(*html, testing::kChartMouse + script, view, name);
  }
  ScratchFolder folder_;
};

TEST_F(ReportBrowserTest, TheMouseReadsAndZooms) {
  const std::string said = Visit(SyntheticRun(60, 20), R"js(
    const loss = plotOf('Loss'), accuracy = plotOf('Accuracy');
    const before = hover(accuracy, 0.9);
    const read = hover(loss), zoomed = zoom(loss), other = hover(accuracy, 0.9);
    loss.nextElementSibling.querySelector('.reset').click();
    const again = hover(accuracy, 0.9);
    return JSON.stringify({ read, zoomed, before, other, again });)js",
                                 {}, "report-light");
  EXPECT_EQ(said.find('{'), 0u) << said;
  const auto json = nlohmann::json::parse(said);
  EXPECT_THAT(json["read"].get<std::string>(), ContainsRegex("step 3[01]"));
  EXPECT_THAT(json["read"].get<std::string>(), HasSubstr("training 0."));
  EXPECT_THAT(json["read"].get<std::string>(), HasSubstr("held out 0.6167 nats"))
      << "the evaluation at step 20";
  EXPECT_THAT(json["zoomed"].get<std::string>(), HasSubstr("Reset zoom"));
  EXPECT_THAT(json["before"].get<std::string>(), ContainsRegex("step 5[45]"));
  EXPECT_THAT(json["other"].get<std::string>(), ContainsRegex("step (29|30)"))
      << "all figures of steps zoom together";
  EXPECT_EQ(json["again"], json["before"]);
}

TEST_F(ReportBrowserTest, KeysReadAndZoom) {
  const std::string said = Visit(SyntheticRun(60, 0), R"js(
    const loss = plotOf('Loss');
    const press = key => { loss.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      return below(loss); };
    press('ArrowRight');
    const second = press('ArrowRight');
    press('+');
    press('Escape');
    const seen = second + '|' + below(loss) + '|' + loss.tabIndex;
    const toggle = loss.nextElementSibling.querySelector('button');
    toggle.click();
    return seen + '|' + toggle.getAttribute('aria-pressed') + '|' + document.body.innerText;)js",
                                 {.dark = true}, "report-dark");
  EXPECT_THAT(said, HasSubstr("step 2|"));
  EXPECT_THAT(said, HasSubstr("|0|false|"));
  EXPECT_THAT(said, HasSubstr("No evaluation in this run"));
  EXPECT_THAT(said, Not(HasSubstr("Reset zoom")));
}

TEST_F(ReportBrowserTest, APhoneScrollsOneWay) {
  const std::string measure =
      "return document.documentElement.scrollWidth + ' of ' + innerWidth + ', ' + "
      "[...document.querySelectorAll('.plot')].filter(p => p.querySelector('canvas')).length + "
      "' charts, dark ' + matchMedia('(prefers-color-scheme: dark)').matches;";
  for (const bool dark : {false, true}) {
    EXPECT_EQ(Visit(SyntheticRun(60, 20), measure, {.width = 360, .height = 9000, .dark = dark},
                    absl::StrCat("report-phone-", dark ? "dark" : "light")),
              absl::StrCat("360 of 360, 19 charts, dark ", dark ? "true" : "false"));
  }
}

TEST_F(ReportBrowserTest, ALongRunKeepsItsSpike) {
  const std::string said = Visit(SyntheticRun(20000, 500), R"js(
    const norm = plotOf('Gradient norm');
    return norm.parentElement.querySelector('.numbers').textContent + document.body.innerText;)js",
                                 {.height = 5000}, "report-long");
  EXPECT_THAT(said, HasSubstr("90 (step 7)"));
  EXPECT_THAT(said, HasSubstr("Of 20000 steps the curves have at most 1000 points"));
}

}  // namespace
}  // namespace fpo::train
