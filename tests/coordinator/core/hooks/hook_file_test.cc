#include "coordinator/core/hooks/hook_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HookFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<HookSettings> Read(const std::string& text) {
    testing::WriteWhole(folder_ / "hooks.yaml", text);
    return ReadHookFile(folder_ / "hooks.yaml");
  }
  std::string Problem(const std::string& hook) {
    return std::string(Read("hooks:\n- {" + hook + "}\n").status().message());
  }
  testing::TempFolder folder_;
};

TEST_F(HookFileTest, IsReadWithTheKeysItNames) {
  testing::WriteWhole(folder_ / "secret", "0123456789abcdef0123\nrest\n");
  testing::WriteWhole(folder_ / "url", "https://hooks.slack.com/services/T0/B0/key\n");
  const auto settings = Read(R"(
ca_file: /etc/ca.pem
hooks:
  - name: ops
    url: https://ops.example.org/hook?token=abc
    secret_file: secret
    events: [succeeded, failed, budget_broken]
    owner: ada
    job: "nightly-*"
  - {name: chat, url_file: url, events: held, format: slack, on_request: true}
  - {name: here, url: "http://127.0.0.1:9/x", events: [cancelled]}
)");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->ca_file, "/etc/ca.pem");
  ASSERT_EQ(settings->hooks.size(), 3u);
  const Hook& ops = settings->hooks[0];
  EXPECT_EQ(ops.secret, "0123456789abcdef0123");
  EXPECT_EQ(ops.events, (std::set<HookEvent>{HookEvent::kSucceeded, HookEvent::kFailed,
                                             HookEvent::kBudgetBroken}));
  EXPECT_EQ(ops.owner, "ada");
  EXPECT_EQ(ops.job, "nightly-*");
  EXPECT_FALSE(ops.slack);
  EXPECT_TRUE(settings->hooks[1].slack);
  EXPECT_TRUE(settings->hooks[1].on_request);
  EXPECT_EQ(settings->hooks[1].url, "https://hooks.slack.com/services/T0/B0/key");
}

TEST_F(HookFileTest, WhatIsWrongIsSaidWithoutKeys) {
  const std::string good = "name: a, events: [failed], url: 'https://h/x'";
  EXPECT_TRUE(Read("hooks:\n- {" + good + "}\n").ok());
  EXPECT_THAT(Problem("name: A b, events: [failed], url: 'https://h/x'"), HasSubstr("name"));
  EXPECT_THAT(Problem("name: a, url: 'https://h/x'"), HasSubstr("events: is missing"));
  EXPECT_THAT(Problem("name: a, events: [ended], url: 'https://h/x'"),
              HasSubstr("\"ended\" is not one of succeeded, failed"));
  EXPECT_THAT(Problem("name: a, events: [failed]"), HasSubstr("no http:// or https:// URL"));
  EXPECT_THAT(Problem("name: a, events: [failed], url: 'http://far.example.org/k3y'"),
              ::testing::AllOf(HasSubstr("use https"), Not(HasSubstr("k3y"))));
  EXPECT_THAT(Problem(good + ", format: xml"), HasSubstr("json or slack"));
  EXPECT_THAT(Problem(good + ", secret: abc"), HasSubstr("unknown key"));
  EXPECT_THAT(Problem(good + ", secret_file: nowhere"), HasSubstr("nowhere"));
  EXPECT_THAT(Problem(good + ", url_file: x"), HasSubstr("leave one out"));
  testing::WriteWhole(folder_ / "short", "abc\n");
  EXPECT_THAT(Problem(good + ", secret_file: short"), HasSubstr("at least 16"));
  EXPECT_THAT(std::string(Read("hooks:\n- {" + good + "}\n- {" + good + "}\n").status().message()),
              HasSubstr("another hook's name"));
  EXPECT_THAT(std::string(Read("hook: []\n").status().message()), HasSubstr("hooks: is missing"));
  EXPECT_THAT(std::string(Read("hooks: [\n").status().message()), HasSubstr("hooks.yaml"));
  EXPECT_TRUE(
      Read("hooks:\n- {name: a, events: [failed], url: 'http://far/x', allow_http: true}\n").ok());
}

}  // namespace
}  // namespace fpo::coordinator
