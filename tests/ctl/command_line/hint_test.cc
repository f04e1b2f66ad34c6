#include "ctl/command_line/hint.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HintTest, FindsTheCommandLinesInATextForPeople) {
  EXPECT_THAT(CommandLinesIn("fpoctl list"), ElementsAre("list"));
  EXPECT_THAT(CommandLinesIn("why: fpoctl explain j-1; all: fpoctl queue"),
              ElementsAre("explain j-1", "queue"));
  EXPECT_THAT(CommandLinesIn("start with: fpoctl init fpo > job.yaml"), ElementsAre("init fpo"));
  EXPECT_THAT(CommandLinesIn("unpin some (fpoctl cache gc), or wait"), ElementsAre("cache gc"));
  EXPECT_THAT(CommandLinesIn("start fpo-coordinator; /opt/fpoctl x"), IsEmpty());
}

TEST(HintTest, WritesALineAsOneTypesIt) {
  EXPECT_EQ(CommandLineOf({"submit", "my job.yaml", "--set", "a=[1,2]", "--label=x"}),
            "fpoctl submit 'my job.yaml' --set 'a=[1,2]' --label=x");
  EXPECT_EQ(CommandLineOf({"audit", "--user", "", "it's"}), "fpoctl audit --user '' 'it'\\''s'");
}

TEST(HintTest, SeesThatAHintIsWhatWasTyped) {
  EXPECT_TRUE(RepeatsLine("fpoctl list", {"list"}));
  EXPECT_TRUE(RepeatsLine("all of them: fpoctl metrics j-1", {"metrics", "j-1", "--json"}));
  EXPECT_FALSE(RepeatsLine("fpoctl metrics -q j-1", {"metrics", "j-1"}));
  EXPECT_FALSE(RepeatsLine("fpoctl list", {"list", "--limit", "0"}));
}

}  // namespace
}  // namespace fpo::ctl
