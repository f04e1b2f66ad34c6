// The page of feature reports in a real browser: what a person would see, click and type.

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "common/features/feature_page.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/features/sample_report.h"
#include "tests/integration/process.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FeaturePageBrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (access(kBrowser, X_OK) != 0) GTEST_SKIP() << "no " << kBrowser;
  }

  // The page after `script`, which runs behind its own.
  std::string Dom(const std::vector<FeatureReport>& reports, const std::string& script = "") {
    const std::string page = absl::StrReplaceAll(
        FeaturePage(reports), {{"</body>", "<script>" + script + "</script></body>"}});
    WriteWhole(to_ / "page.html", page);
    if (const char* keep = getenv("FPO_SCREENSHOT")) {
      Open({std::string("--screenshot=") + keep});
    }
    return Open({"--dump-dom"});
  }

  std::string Open(const std::vector<std::string>& how) {
    std::vector<std::string> argv = {kBrowser,
                                     "--headless",
                                     "--no-sandbox",
                                     "--disable-gpu",
                                     "--window-size=1100,1000",
                                     "--user-data-dir=" + to_ / "browser"};
    argv.insert(argv.end(), how.begin(), how.end());
    argv.push_back("file://" + (to_ / "page.html"));
    return RunProgram(argv, {}, absl::Seconds(60)).out;
  }

  static constexpr char kBrowser[] = "/usr/bin/chromium";
  const TempFolder to_;
};

TEST_F(FeaturePageBrowser, ShowsRowsAndTextsAndTheFit) {
  const std::string dom = Dom({SampleReport()}, "document.querySelector('.f-open').click();");
  EXPECT_THAT(dom, HasSubstr("layer 2 resid_post, 1,024 features; labels: /labels"));
  EXPECT_THAT(dom, HasSubstr("only the first 4 of 8 pairs"));
  EXPECT_THAT(dom, HasSubstr("<td data-name=\"label\" class=\"\">apologises</td>"));
  EXPECT_THAT(dom, HasSubstr("class=\"f-number f-down\">−0.625</td>"));
  EXPECT_THAT(dom, HasSubstr("variance not explained (FVU)</th><td class=\"f-number\">0.25</td>"
                             "<td class=\"f-number\">0.5</td>"));
  EXPECT_THAT(dom, HasSubstr("loss recovered</th><td class=\"f-number\">0.938</td>"
                             "<td class=\"f-number\">–</td>"));
  EXPECT_THAT(dom, HasSubstr(">3 of 3<"));
}

TEST_F(FeaturePageBrowser, SortsFiltersSearchesAndOpens) {
  const char* const kSetUp = R"(
    const buttons = () => [...document.querySelectorAll('button')];
    const press = text => buttons().find(b => b.textContent === text).click();
    const rows = () => [...document.querySelectorAll('.f-open')].map(b => b.textContent).join();
    const say = text => document.body.append(' |' + text + '| ');
  )";
  const std::string dom = Dom({SampleReport()}, std::string(kSetUp) + R"(
    say('first ' + rows());
    press('feature'); say('by feature ' + rows());
    press('rejected'); say('rejected ' + rows());
    press('both sides');
    const search = document.querySelector('input');
    search.value = 'SORRY'; search.oninput(); say('text ' + rows());
    search.value = ''; search.oninput();
    buttons().find(b => b.className === 'f-open').click();
    say('strongest ' + document.querySelector('.f-strongest').textContent);
  )");
  EXPECT_THAT(dom, HasSubstr("|first 5,3,5|"));
  EXPECT_THAT(dom, HasSubstr("|by feature 3,5,5|"));
  EXPECT_THAT(dom, HasSubstr("|rejected 5|"));
  EXPECT_THAT(dom, HasSubstr("|text 3|"));
  EXPECT_THAT(dom, HasSubstr("|strongest  am|"));
}

TEST_F(FeaturePageBrowser, TwoRunsStandSideBySide) {
  FeatureReport other = SampleReport();
  other.job = "tiny-dpo";
  other.pairs = 2;
  other.saes[0].chosen = {8};
  other.saes[0].moved = {other.saes[0].others[0]};
  other.saes[0].others.clear();
  const std::string dom = Dom({SampleReport(), other});
  EXPECT_THAT(dom, HasSubstr(">tiny-dpo</th>"));
  EXPECT_THAT(dom, HasSubstr("tiny-dpo was measured on other pairs than tiny-fpo"));
  EXPECT_THAT(dom, HasSubstr(">moved less than 0.0625</td>"));
}

// Rows are hostile; what they hold is shown, and does nothing.
TEST_F(FeaturePageBrowser, TextsOfTheDataDoNothing) {
  FeatureReport report = SampleReport();
  const std::string bad = "</script><img src=x onerror=\"document.title='owned'\">\xE2\x80\xA8";
  report.job = report.missing[0] = report.saes[0].moved[0].label = bad;
  report.saes[0].moved[0].spans[0].tokens[1] = bad;
  const std::string dom = Dom({report}, R"(
    [...document.querySelectorAll('.f-open')].find(b => b.textContent === '3').click();)");
  EXPECT_THAT(dom, Not(HasSubstr("<img")));
  EXPECT_THAT(dom, HasSubstr("&lt;img"));
  EXPECT_THAT(dom, HasSubstr("<title>Features that training moved</title>"));
}

}  // namespace
}  // namespace fpo::testing
