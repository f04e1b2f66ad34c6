// What a command line may give to each kind of value.
#include "ctl/command_line/value_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::HasSubstr;

std::string Wrong(ValueKind kind, const std::string& value) {
  OptionSpec option{"x", "", kind, "X", ""};
  if (kind == ValueKind::kChoice) option.choices = {"RUNNING", "QUEUED"};
  std::vector<std::string> values = {value};
  return std::string(CheckOption(option, &values).message());
}

struct Kind {
  ValueKind kind;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

TEST(ValueCheckTest, WhatCannotWorkIsRefusedWhenItIsGiven) {
  const std::string spaces = "a b";
  const Kind kinds[] = {
      {ValueKind::kAddress,
       {"h:1", "127.0.0.1:7070", "[::1]:7070"},
       {"", "foo", "h:0", "h:99999", "http://h:1", "a b:1", "h:", ":1", "h:1 "}},
      {ValueKind::kJob,
       {"j-4f2a1c", "tiny-fpo", "j"},
       {"", spaces, "a/b", "Tiny", "a_b", std::string(64, 'a'), "j-1;ls", "\xC3\xA4"}},
      {ValueKind::kWorker,
       {"gpu-1", "host.example", "W_1"},
       {"", spaces, "a/b", "../x", std::string(254, 'a')}},
      {ValueKind::kUser, {"ana", "ana@site.example"}, {"", spaces, "a/b", std::string(65, 'a')}},
      {ValueKind::kContext, {"lab", "a.b_c-d"}, {"", spaces, "a/b", std::string(64, 'a')}},
      {ValueKind::kLabel,
       {"team=align", "a.b/c=two words"},
       {"", "team", "=x", "team=", "te am=x", "team=a\nb", std::string(64, 'a') + "=x"}},
      {ValueKind::kSetting, {"a=b", "a="}, {"", "a", "=b"}},
      {ValueKind::kManifest, {"3fa9c1", "3FA"}, {"", "xyz", spaces, std::string(65, 'a')}},
      {ValueKind::kKey, {std::string(64, 'a')}, {"", "xyz", "3fa9c1", std::string(64, 'x')}},
      {ValueKind::kCount, {"0", "7"}, {"", "x", "-1", "1.5", "1e3", "99999999999", spaces}},
      {ValueKind::kDuration,
       {"90s", "1h30m", "30d"},
       {"", "5", "5 minuets", "5minuets", "0s", "-5s", "inf", "soon"}},
      {ValueKind::kChoice, {"RUNNING"}, {"", "RUNING"}},
      {ValueKind::kFile, {"a b"}, {""}},
      {ValueKind::kText, {"", "any thing"}, {}},
  };
  for (const Kind& kind : kinds) {
    for (const std::string& value : kind.good) EXPECT_EQ(Wrong(kind.kind, value), "") << value;
    for (const std::string& value : kind.bad) {
      EXPECT_THAT(Wrong(kind.kind, value), HasSubstr("--x"))
          << static_cast<int>(kind.kind) << " '" << value << "'";
    }
  }
}

TEST(ValueCheckTest, SaysTheLimitsAndWhatIsClose) {
  EXPECT_THAT(Wrong(ValueKind::kChoice, "RUNING"), HasSubstr("did you mean RUNNING?"));
  ArgumentSpec priority{"N", ValueKind::kCount, "the priority", true, false, {}, 0, 1000};
  EXPECT_EQ(CheckArgument(priority, {"1001"}).message(),
            "N is '1001' and must be a whole number from 0 to 1000");
  EXPECT_EQ(CheckArgument(priority, {}).message(), "N is missing: the priority");
  EXPECT_TRUE(CheckArgument(priority, {"1000"}).ok());
}

}  // namespace
}  // namespace fpo::ctl
