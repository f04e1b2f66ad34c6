#include "common/flags/flag_set.h"

#include "common/flags/program_flags.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

// One flag of each type.
struct Values {
  std::string text = "a";
  int32_t small = 1;
  int64_t large = 2;
  uint64_t seed = 3;
  double real = 0.5;
  bool on = false;
  std::optional<int64_t> maybe;
  std::optional<double> maybe_real;
  std::vector<std::string> list;
  absl::Duration time = absl::ZeroDuration();
  int64_t bytes = int64_t{5} << 20;

  absl::StatusOr<std::optional<std::string>> Parse(std::vector<const char*> words) {
    ProgramFlags program("fpo-thing", "Does things.");
    FlagSet flags = program.flags();
    flags.Add("--text", &text, "").ShowDefault().Type("WORD");
    flags.Add("--small", &small, "").Positive();
    flags.Add("--large", &large, "").NotNegative();
    flags.Add("--seed", &seed, "");
    flags.Add("--real", &real, "").BetweenReal(0, 1);
    flags.Add("--on", &on, "");
    flags.Add("--maybe", &maybe, "");
    flags.Add("--maybe-real", &maybe_real, "");
    Flag list_flag = flags.Add("--list", &list, "");
    flags.Add("--hidden", &text, "").Hidden();
    flags.AddDuration("--time", &time, "").Excludes("--on");
    flags.AddMib("--size", &bytes, "").Needs(list_flag);
    words.insert(words.begin(), "fpo-thing");
    const auto parsed = program.Parse({static_cast<int>(words.size()), words.data()});
    has_text = parsed.ok() && !parsed->has_value() && flags.Has("--text");
    return parsed;
  }
  bool has_text = false;
};

TEST(FlagSet, EachTypeIsRead) {
  Values values;
  const auto parsed = values.Parse({"--text",       "b",          "--small", "4",
                                    "--large",      "5000000000", "--seed",  "18446744073709551615",
                                    "--real",       "0.25",       "--maybe", "6",
                                    "--maybe-real", "0.75",       "--list",  "x",
                                    "--list",       "y",          "--time",  "2m",
                                    "--size",       "7"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(values.text, "b");
  EXPECT_TRUE(values.has_text);
  EXPECT_EQ(values.small, 4);
  EXPECT_EQ(values.large, 5'000'000'000);
  EXPECT_EQ(values.seed, ~uint64_t{0});
  EXPECT_EQ(values.real, 0.25);
  EXPECT_EQ(values.maybe, 6);
  EXPECT_EQ(values.maybe_real, 0.75);
  EXPECT_EQ(values.list, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(values.time, absl::Minutes(2));
  EXPECT_EQ(values.bytes, int64_t{7} << 20);
  EXPECT_FALSE(values.on);
}

TEST(FlagSet, AbsentFlagsLeaveTheirVariablesAlone) {
  Values values;
  ASSERT_TRUE(values.Parse({"--on"}).ok());
  EXPECT_TRUE(values.on);
  EXPECT_FALSE(values.has_text);
  EXPECT_EQ(values.text, "a");
  EXPECT_EQ(values.maybe, std::nullopt);
  EXPECT_EQ(values.bytes, int64_t{5} << 20);
}

TEST(FlagSet, LimitsHold) {
  const auto fails = [](std::vector<const char*> words) {
    return !Values().Parse(std::move(words)).ok();
  };
  EXPECT_TRUE(fails({"--small", "0"}));
  EXPECT_TRUE(fails({"--small", "4294967297"})) << "not 1";
  EXPECT_TRUE(fails({"--large", "-1"}));
  EXPECT_TRUE(fails({"--seed", "-1"}));
  EXPECT_TRUE(fails({"--real", "1.5"}));
  EXPECT_TRUE(fails({"--size", "-1", "--list", "x"}));
  EXPECT_TRUE(fails({"--size", "1"})) << "needs --list";
  EXPECT_TRUE(fails({"--on", "--time", "1s"})) << "exclude each other";
}

TEST(FlagSet, ErrorsNameTheLimits) {
  const auto error = [](std::vector<const char*> words) {
    return std::string(Values().Parse(std::move(words)).status().message());
  };
  EXPECT_EQ(error({"--small", "0"}), "--small is '0' and must be above 0");
  EXPECT_EQ(error({"--small", "1x"}), "--small is '1x' and must be above 0");
  EXPECT_EQ(error({"--large", "-1"}), "--large is '-1' and must be 0 or more");
  EXPECT_EQ(error({"--seed", "-1"}), "--seed is '-1' and must be 0 or more");
  EXPECT_EQ(error({"--real", "1.5"}), "--real is '1.5' and must be from 0 to 1");
  EXPECT_EQ(error({"--real", "nan"}), "--real is 'nan' and must be from 0 to 1");
}

TEST(FlagSet, TheHelpPageShowsTypesAndDefaults) {
  Values values;
  const std::string help = values.Parse({"--help"}).value().value();
  for (const char* text : {"--text WORD=a", "--time DURATION", "--size MIB"}) {
    EXPECT_NE(help.find(text), std::string::npos) << text << "\n" << help;
  }
  EXPECT_EQ(help.find("--hidden"), std::string::npos);
}

}  // namespace
}  // namespace fpo
