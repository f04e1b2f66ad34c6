#include "common/text/duration_text.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(DurationText, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseDurationText("200ms").value(), absl::Milliseconds(200));
  EXPECT_EQ(ParseDurationText("1h30m").value(), absl::Minutes(90));
  EXPECT_EQ(ParseDurationText("30d").value(), absl::Hours(720));
  EXPECT_EQ(ParseDurationText("1d12h").value(), absl::Hours(36));
  EXPECT_EQ(ParseDurationText("0").value(), absl::ZeroDuration());
  EXPECT_EQ(ParseDurationText("0s").value(), absl::ZeroDuration());
}

TEST(DurationText, RefusesTheRestWithExamples) {
  for (const char* bad : {"", "soon", "15", "5 minuets", "5 minutes", "-5s", "inf", "d", "1.5d",
                          "1d-2h", "99999999d", "9999999999h", "30d5"}) {
    const absl::Status status = ParseDurationText(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("90s"), absl::string_view::npos) << bad;
  }
}

TEST(DurationText, ANumberAloneProbablyMeansSeconds) {
  EXPECT_EQ(ParseDurationText("15").status().message(),
            "\"15\" is not a duration like 200ms, 90s, 1h30m or 30d; did you mean 15s?");
}

TEST(CheckDurationFlag, NamesTheFlagAndWhatItMayBe) {
  const DurationRange allowed{absl::Milliseconds(200), absl::Hours(1)};
  EXPECT_TRUE(CheckDurationFlag("--lease", absl::Milliseconds(200), allowed).ok());
  EXPECT_TRUE(CheckDurationFlag("--lease", absl::Hours(1), allowed).ok());
  EXPECT_EQ(CheckDurationFlag("--lease", absl::Milliseconds(1), allowed),
            absl::InvalidArgumentError("--lease is 1ms, allowed: 200ms to 1h"));
}

}  // namespace
}  // namespace fpo
