// The status page in a real browser: what a person would see of a job that runs and one that waits.

#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(StatusPage, ShowsWorkersQueueJobsAndCurvesInABrowser) {
  const std::string browser = "/usr/bin/chromium";
  if (access(browser.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << browser;
  LocalService service({.trainer = "fake"});
  service.StartAll();
  const auto submit = [&](const std::string& name) {
    const Outcome outcome =
        service.Ctl({"submit", service.WriteFakeJob(name, "steps-4000-10-0"), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  };
  const std::string id = submit("runs");
  submit("waits");
  ASSERT_TRUE(service.Until("runs", [](const nlohmann::json& job) {
    return std::stoll(job["progress"].value("step", "0")) >= 30;
  }));
  const auto open = [&](const std::string& hash, const std::vector<std::string>& how) {
    std::vector<std::string> argv = {browser,
                                     "--headless",
                                     "--no-sandbox",
                                     "--disable-gpu",
                                     "--virtual-time-budget=6000",
                                     "--window-size=1100,1000",
                                     "--user-data-dir=" + service.Path("browser")};
    argv.insert(argv.end(), how.begin(), how.end());
    argv.push_back("http://" + service.HttpAddress("coordinator") + "/" + hash);
    return RunProgram(argv, {}, absl::Seconds(60));
  };
  const std::string all = open("", {"--dump-dom"}).out;
  EXPECT_THAT(all, HasSubstr(">w1</td>"));
  EXPECT_THAT(all, HasSubstr("0 of 1 slots free"));
  EXPECT_THAT(all, HasSubstr("waiting-for-slots: needs 1, 0 free"));
  EXPECT_THAT(all, ContainsRegex("<td class=\"RUNNING\"[^>]*>RUNNING</td>"));
  const std::string one = open("#" + id, {"--dump-dom"}).out;
  EXPECT_THAT(one, HasSubstr(id + "  runs  RUNNING"));
  EXPECT_THAT(one, HasSubstr("<polyline points=\"0.0,"));
  EXPECT_THAT(one, HasSubstr("loss  "));
  if (const char* keep = getenv("FPO_SCREENSHOT")) {
    open("#" + id, {std::string("--screenshot=") + keep});
  }
}

}  // namespace
}  // namespace fpo::testing
