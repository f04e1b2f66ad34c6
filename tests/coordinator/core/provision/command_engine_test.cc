#include "coordinator/core/provision/command_engine.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/provision/fake_programs.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

TEST(CommandEngine, TellsTheProgramWhatIsWanted) {
  ProvisionPool pool;
  pool.name = "site-b";
  pool.argv = {"/opt/attach", "--site=b"};
  pool.slots_per_worker = 2;
  pool.labels = {{"pool", "site-b"}};
  ProvisionRequest request;
  request.id = "0a1b";
  request.pool = "site-b";
  request.job_id = "j-1";
  request.owner = "ada";
  request.workers = 3;
  FakePrograms programs;
  const auto engine = MakeEngine(pool, programs.Runner());

  programs.Answer("vm-17\n");
  EXPECT_EQ(engine->Ask(request).value(), "vm-17");
  const auto json = nlohmann::json::parse(programs.inputs[0]);
  EXPECT_EQ(json["name"], "fpo-site-b-0a1b");
  EXPECT_EQ(json["workers"], 3);
  EXPECT_EQ(json["slots_per_worker"], 2);
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["labels"]["fpo-request"], "0a1b");
  EXPECT_EQ(json["labels"]["pool"], "site-b");
  EXPECT_EQ(json["exit_when_idle_seconds"], 600);

  for (const auto& [word, state] :
       {std::pair("gone", AllocationState::kGone), std::pair("queued", AllocationState::kQueued),
        std::pair("running\n", AllocationState::kRunning)}) {
    programs.Answer(word);
    EXPECT_EQ(engine->Look(request).value(), state);
  }
  programs.Answer("ok");
  EXPECT_THAT(std::string(engine->Look(request).status().message()),
              HasSubstr("printed \"ok\", which is not gone, queued or running"));
  programs.Answer("");
  EXPECT_TRUE(engine->CallOff(request).ok());
  EXPECT_EQ(programs.lines.back(), "/opt/attach --site=b call-off");
  programs.Answer("");
  EXPECT_TRUE(absl::IsUnavailable(engine->Ask(request).status())) << "a name is required";
  programs.Answer("", 1, "no money");
  EXPECT_TRUE(absl::IsFailedPrecondition(engine->Ask(request).status()));
}

}  // namespace
}  // namespace fpo::coordinator
