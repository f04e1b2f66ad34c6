// A job over two workers that makes do with one: a worker is killed, the job goes on with the
// other, and gets both back when there are two again. Its losses are those of a run that lost
// nothing.

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

// Loss by step.
std::map<int64_t, double> Losses(const std::string& run) {
  std::map<int64_t, double> losses;
  std::istringstream rows(ReadWhole(run + "/metrics.jsonl"));
  for (std::string row; std::getline(rows, row);) {
    const json fields = json::parse(row, nullptr, false);
    if (!fields.is_object() || !fields.contains("loss")) continue;
    losses[fields["step"].get<int64_t>()] = fields["loss"].get<double>();
  }
  return losses;
}

size_t Attempts(const json& job) { return job.value("attempts", json::array()).size(); }

// Workers of the newest attempt.
size_t Workers(const json& job) {
  return Attempts(job) == 0 ? 0 : job["attempts"].back().value("workers", json::array()).size();
}

int64_t Step(const json& job) { return Number(job.value("progress", json::object()), "step"); }

class ElasticTest : public ::testing::Test {
 protected:
  ElasticTest()
      : service_(
            {.slots = 1, .coordinator_flags = {"--narrow-after", "1s", "--grow-after", "1s"}}) {}

  void SetUp() override {
    service_.StartAll();
    service_.StartWorker("w2");
    const std::string bin = getenv("FPO_BIN_DIR"), source = getenv("FPO_SOURCE_DIR");
    const Outcome made = RunProgram(
        {source + "/examples/tiny/prepare.sh", service_.Path("tiny"), bin + "/fpo-train"});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  std::string Out(const std::string& name) const { return service_.Path("tiny/runs/" + name); }

  std::string Submit(const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"submit", service_.Path("tiny/dpo.yaml"), "-q"};
    std::vector<std::string> set = {"name=" + name, "model.path=" + service_.Path("tiny/base"),
                                    "output=" + Out(name), "epochs=100000", "data.max_pairs=40",
                                    "batch.pairs=8", "evaluate.pairs=8",
                                    "evaluate.every_steps=100000", "checkpoint.every_steps=10",
                                    // No weight moves by more than its gradient is off.
                                    "optimizer.eps=2.0e-4"};
    set.insert(set.end(), more.begin(), more.end());
    for (const std::string& each : set) words.insert(words.end(), {"--set", each});
    const Outcome submitted = service_.Ctl(words);
    EXPECT_EQ(submitted.code, 0) << submitted.err;
    return submitted.out.substr(0, submitted.out.find('\n'));
  }

  // The newest one is of two ranks.
  void ExpectCheckpointsToBeFetched(const std::string& id) {
    const int64_t newest = Number(service_.Describe(id), "checkpoint_step");
    const Outcome pinned = service_.Ctl({"ckpt", "pin", id, absl::StrCat(newest)});
    EXPECT_EQ(pinned.code, 0) << pinned.err;
    const Outcome fetched =
        service_.Ctl({"download", id, "--latest", "--to", service_.Path("fetched")});
    EXPECT_EQ(fetched.code, 0) << fetched.err;
    const std::string part = "/model-rank-1-of-2.safetensors";
    EXPECT_EQ(ReadWhole(service_.Path("fetched") + part),
              ReadWhole(absl::StrCat(Out("elastic"), "/checkpoints/step-", newest, part)));
    EXPECT_NE(ReadWhole(service_.Path("fetched") + part), "");
    const Outcome exported =
        service_.Ctl({"export", id, "--latest", "--to", service_.Path("exported")});
    EXPECT_EQ(exported.code, 0) << exported.err;
    EXPECT_NE(ReadWhole(service_.Path("exported/model.safetensors")), "");
  }

  LocalService service_;
};

TEST_F(ElasticTest, GoesOnWithOneWorkerAndGrowsBackToTwo) {
  // It never comes to its end: what is compared does not hang on how fast this machine is.
  const std::string id =
      Submit("elastic", {"resources.slots=2", "resources.min_slots=1", "max_steps=1000000"});
  const auto wide =
      service_.Until(id, [](const json& job) { return Number(job, "checkpoint_step") > 0; });
  ASSERT_TRUE(wide.has_value()) << service_.Log("coordinator");
  EXPECT_EQ(Workers(*wide), 2u);
  EXPECT_EQ(Number(*wide, "slots_held"), 2);

  service_.Kill("w2");
  int64_t from = 0;
  const auto narrow = service_.Until(id, [&](const json& job) {
    if (Attempts(job) < 2 || Workers(job) != 1 || job.value("state", "") != "RUNNING") return false;
    if (from == 0) from = std::max<int64_t>(1, Step(job));
    return Step(job) > from + 20;  // computed by one
  });
  ASSERT_TRUE(narrow.has_value()) << service_.Ctl({"explain", id}).out;
  EXPECT_EQ(Number(*narrow, "slots"), 2);
  EXPECT_EQ(Number(*narrow, "min_slots"), 1);
  EXPECT_EQ(Number(*narrow, "slots_held"), 1);
  EXPECT_NE(service_.Ctl({"explain", id}).out.find("holds 1 of 2 slots since it lost a worker"),
            std::string::npos)
      << service_.Ctl({"explain", id}).out;
  EXPECT_NE(service_.Ctl({"describe", id}).out.find("1/2, after a loss at least 1"),
            std::string::npos);

  service_.StartWorker("w3");
  int64_t grown_at = 0;
  const auto grown = service_.Until(id, [&](const json& job) {
    if (Workers(job) != 2 || job.value("state", "") != "RUNNING") return false;
    if (grown_at == 0) grown_at = std::max<int64_t>(1, Step(job));
    return Step(job) > grown_at + 20;
  });
  ASSERT_TRUE(grown.has_value()) << service_.Ctl({"explain", id}).out;
  EXPECT_EQ(Number(*grown, "restarts_used"), 0) << "neither the loss nor the growth is counted";
  const json& stopped = (*grown)["attempts"][Attempts(*grown) - 2];
  EXPECT_EQ(stopped.value("end_class", ""), "asked") << stopped;
  ASSERT_EQ(service_.Ctl({"cancel", id, "--now"}).code, 0);
  service_.Ctl({"wait", id});

  ExpectCheckpointsToBeFetched(id);
  const std::map<int64_t, double> losses = Losses(Out("elastic"));
  ASSERT_FALSE(losses.empty());
  const int64_t steps = losses.rbegin()->first;
  ASSERT_EQ(static_cast<int64_t>(losses.size()), steps) << "each step once";
  const std::string whole = Submit("whole", {absl::StrCat("max_steps=", steps)});
  ASSERT_EQ(service_.Ctl({"wait", whole}, absl::Minutes(10)).code, 0);
  double apart = 0;
  for (const auto& [step, loss] : Losses(Out("whole"))) {
    apart = std::max(apart, std::abs(loss - losses.at(step)));
  }
  std::cout << steps << " steps on two, one and two ranks (" << Attempts(*grown)
            << " attempts): losses within " << apart << " of one rank's" << std::endl;
  EXPECT_LT(apart, 1e-6);
}

}  // namespace
}  // namespace fpo::testing
