// Stores that an earlier version wrote open, show what they held, and go on.

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// tests/upgrade/stores-050ed89.tgz holds the data folders of a coordinator and a cache that ran
// five jobs of the tiny example: an SAE, FPO with all of its 48 records, one that failed, one on
// hold and one that was paused at a checkpoint; the worker, w1, is cordoned.
class OldStoresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string archive =
        std::string(getenv("FPO_SOURCE_DIR")) + "/tests/upgrade/stores-050ed89.tgz";
    const Outcome unpacked = RunProgram({"/bin/tar", "xzf", archive, "-C", service_.Path("")});
    ASSERT_EQ(unpacked.code, 0) << unpacked.err;
    service_.Start("cache");
    service_.Start("coordinator");
  }
  std::string Ok(const std::vector<std::string>& words) {
    const Outcome outcome = service_.Ctl(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  LocalService service_;
};

TEST_F(OldStoresTest, JobsAreAsTheyWere) {
  for (const auto& [name, state] : {std::pair{"old-sae", "SUCCEEDED"},
                                    {"old-fpo", "SUCCEEDED"},
                                    {"old-failed", "FAILED"},
                                    {"old-held", "HELD"},
                                    {"old-paused", "PAUSED"}}) {
    EXPECT_EQ(service_.Describe(name).value("state", ""), state) << name;
  }
  const nlohmann::json fpo = service_.Describe("old-fpo");
  EXPECT_EQ(fpo["labels"]["team"], "alignment");
  EXPECT_EQ(fpo["attempts"].size(), 1u);
  EXPECT_THAT(Ok({"logs", "old-fpo"}), HasSubstr("step 3"));
  const auto series = nlohmann::json::parse(Ok({"metrics", "old-fpo", "--json"}))["series"];
  ASSERT_FALSE(series.empty());
  EXPECT_EQ(series[0]["steps"].size(), 3u);
  EXPECT_THAT(Ok({"ckpt", "list", "old-paused", "-q"}), HasSubstr("checkpoints/step-1\n"));
}

TEST_F(OldStoresTest, JobsGoOn) {
  Ok({"release", "old-held"});
  EXPECT_EQ(service_.Describe("old-held").value("state", ""), "QUEUED");
  Ok({"resume", "old-paused"});
  EXPECT_EQ(service_.Describe("old-paused").value("state", ""), "QUEUED");
  Ok({"submit", service_.WriteFakeJob("new", "steps-3-1-0"), "--hold"});
  service_.Kill("coordinator");
  service_.Start("coordinator");
  EXPECT_EQ(service_.Describe("new").value("state", ""), "HELD");
  EXPECT_EQ(service_.Describe("old-fpo").value("state", ""), "SUCCEEDED");
}

TEST_F(OldStoresTest, RecordsAreWholeAndFound) {
  EXPECT_THAT(Ok({"cache", "ls"}), HasSubstr("8e39b856b0b3  old-fpo"));
  EXPECT_THAT(Ok({"cache", "ls"}), HasSubstr("100 %"));
  EXPECT_THAT(Ok({"cache", "verify"}), Not(HasSubstr("bad record")));
  const std::string file = service_.Path("records.fpr");
  Ok({"cache", "export", "8e39b856b0b3", file});
  EXPECT_GT(std::filesystem::file_size(file), 1000u);
}

}  // namespace
}  // namespace fpo::testing
