// Several hosts on one machine: network namespaces joined by virtual cables, an agent in each, a
// job whose ranks are on both, and a cable that is cut for less and for more than the lease. Needs
// root.

#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/process.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

bool Ip(const std::string& words) { return RunProgram({"/bin/sh", "-c", "ip " + words}).code == 0; }

// A hub with a bridge, and hosts on cables to it. Names carry our pid: tests may run side by side.
class Network {
 public:
  Network() {
    Ip("netns add " + Name("hub"));
    In("hub", "link set lo up");
    In("hub", "link add br0 type bridge");
    In("hub", "addr add 10.77.0.1/24 dev br0");
    ready_ = In("hub", "link set br0 up");
    for (int host = 1; host <= 2; ++host) AddHost(host);
  }
  ~Network() {
    for (const char* name : {"w1", "w2", "hub"}) Ip("netns del " + Name(name));
  }

  bool ready() const { return ready_; }
  std::string Name(const std::string& host) const { return absl::StrCat("fpo", getpid(), host); }
  // Of the hub's end: the host itself sees nothing but silence.
  void Cut(int host) { In("hub", absl::StrCat("link set p", host, " down")); }
  void Mend(int host) { In("hub", absl::StrCat("link set p", host, " up")); }
  std::vector<std::string> Inside(const std::string& host, std::vector<std::string> argv) const {
    std::vector<std::string> words = {"ip", "netns", "exec", Name(host)};
    words.insert(words.end(), argv.begin(), argv.end());
    return words;
  }

 private:
  bool In(const std::string& host, const std::string& words) {
    return Ip("-n " + Name(host) + " " + words);
  }
  void AddHost(int host) {
    const std::string name = absl::StrCat("w", host);
    Ip("netns add " + Name(name));
    In("hub", absl::StrCat("link add p", host, " type veth peer name eth0 netns ", Name(name)));
    In("hub", absl::StrCat("link set p", host, " master br0 up"));
    In(name, "link set lo up");
    In(name, absl::StrCat("addr add 10.77.0.1", host, "/24 dev eth0"));
    ready_ &= In(name, "link set eth0 up");
  }

  bool ready_ = false;
};

class NetworkChaos : public ::testing::Test {
 protected:
  void SetUp() override {
    if (getuid() != 0) GTEST_SKIP() << "network namespaces need root";
    network_.emplace();
    if (!network_->ready()) GTEST_SKIP() << "this machine gives no network namespaces";
    const bool default_times = lease_ == kDefaultLease;
    bin_ = getenv("FPO_BIN_DIR");
    char folder[] = "/tmp/fpo-network-XXXXXX";
    folder_ = mkdtemp(folder);
    coordinator_.emplace(Start(
        "hub", {"fpo-coordinator", "--listen", "10.77.0.1:7070", "--http", "", "--insecure",
                "--data", folder_ + "/coordinator", "--beat", default_times ? "2s" : "300ms",
                "--lease", absl::StrCat(lease_, "s"), "--reattach", absl::StrCat(lease_, "s")}));
    for (int host = 1; host <= 2; ++host) {
      const std::string name = absl::StrCat("w", host);
      workers_.push_back(Start(name, {"fpo-worker",
                                      "--coordinator",
                                      "10.77.0.1:7070",
                                      "--cache",
                                      "10.77.0.1:7080",
                                      "--http",
                                      "",
                                      "--name",
                                      name,
                                      "--host",
                                      absl::StrCat("10.77.0.1", host),
                                      "--root",
                                      "/",
                                      "--output-root",
                                      "/",
                                      "--allow-root",
                                      "--work-dir",
                                      folder_ + "/" + name,
                                      "--trainer",
                                      bin_ + "/fpo_fake_trainer"}));
    }
    const absl::Time end = absl::Now() + absl::Seconds(30);
    while (Ctl({"workers", "list", "-q"}).out != "w1\nw2\n") {
      ASSERT_LT(absl::Now(), end) << "the workers do not reach the coordinator";
      poll(nullptr, 0, 50);
    }
  }
  void TearDown() override {
    workers_.clear();
    coordinator_.reset();
    if (HasFailure()) std::cerr << ReadFile(folder_ + "/log").substr(0, 20'000);
    std::error_code error;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
  }

  Process Start(const std::string& host, std::vector<std::string> argv) {
    argv[0] = bin_ + "/" + argv[0];
    return Process(network_->Inside(host, argv), {}, folder_ + "/log");
  }
  Outcome Ctl(std::vector<std::string> words) {
    words.insert(words.begin(), bin_ + "/fpoctl");
    return RunProgram(network_->Inside("hub", words), {"FPO_SERVER=10.77.0.1:7070"});
  }
  json Job(const std::string& name) {
    return json::parse(Ctl({"describe", name, "--json"}).out, nullptr, false).value("job", json());
  }
  void Submit(const std::string& name, const std::string& how) {
    std::filesystem::create_directories(folder_ + "/model");
    std::ofstream(folder_ + "/train.jsonl") << "{}\n";
    const std::string path = folder_ + "/" + name + ".yaml";
    std::ofstream(path) << "name: " << name
                        << "\nmodel: {path: model}\ndata: {train: [train.jsonl]}\n"
                        << "method: {name: sft}\noutput: runs/" << name
                        << "\nresources: {slots: 2}\nlabels: {run: \"" << how << "\"}\n";
    ASSERT_EQ(Ctl({"submit", path, "-q"}).code, 0);
  }
  json Await(const std::string& name, const std::function<bool(const json&)>& done) {
    const absl::Time end = absl::Now() + absl::Minutes(2);
    json job = Job(name);
    while (!done(job) && absl::Now() < end) {
      poll(nullptr, 0, 100);
      job = Job(name);
    }
    return job;
  }
  static int64_t Step(const json& job) {
    return std::stoll(job.value("progress", json::object()).value("step", "0"));
  }
  static bool Ended(const json& job) { return job.contains("ended"); }

  static constexpr int kDefaultLease = 15;
  // 4 s quickly; a coordinator's own in the long tier.
  const int lease_ = ChaosCount("FPO_CHAOS_DEFAULT_LEASE", 0) > 0 ? kDefaultLease : 4;
  std::optional<Network> network_;
  std::string bin_;
  std::string folder_;
  std::optional<Process> coordinator_;
  std::vector<Process> workers_;
};

TEST_F(NetworkChaos, AGangOverTwoHostsOutlivesAShortCutAndRestartsAfterALongOne) {
  const absl::Duration short_cut = absl::Seconds(lease_ == kDefaultLease ? 5 : 2);
  Submit("gang", absl::StrCat("steps-", 160 * lease_ + 300, "-10-100"));
  const json running = Await("gang", [](const json& job) { return Step(job) >= 20; });
  ASSERT_EQ(running["attempts"].size(), 1u) << running.dump();
  EXPECT_EQ(running["attempts"][0]["workers"], json({"w1", "w2"})) << "one rank on each host";
  const std::string first = absl::StrCat("FPO_ATTEMPT=", running.value("job_id", ""), "/1/");
  const size_t ranks = ProcessesWith(first).size();
  EXPECT_EQ(ranks, 2u);

  network_->Cut(2);
  Pause(short_cut);
  network_->Mend(2);
  const int64_t before = Step(Job("gang"));
  const json after = Await("gang", [&](const json& job) { return Step(job) > before + 100; });
  EXPECT_EQ(after["attempts"].size(), 1u) << "shorter than the lease: the same attempt";
  EXPECT_EQ(after.value("state", ""), "RUNNING");

  const absl::Time cut = absl::Now();
  network_->Cut(2);
  const json fenced = Await("gang", [](const json& job) {
    return job["attempts"][0].value("end_class", "") == "infrastructure";
  });
  const absl::Duration fenced_after = absl::Now() - cut;
  EXPECT_NE(fenced["attempts"][0].value("end_message", "").find("w2"), std::string::npos)
      << fenced.dump();
  EXPECT_NE(fenced.value("state", ""), "RUNNING") << "all or nothing: it waits for both hosts";
  // Of two ranks the one that is reached is stopped; the other continues until it is told.
  const bool lone_rank = !ProcessesWith(first).empty();
  network_->Mend(2);
  const absl::Time mended = absl::Now();
  while (!ProcessesWith(first).empty() && absl::Now() < mended + absl::Seconds(20)) {
    Pause(absl::Milliseconds(20));
  }
  const absl::Duration killed_after = absl::Now() - mended;
  EXPECT_TRUE(ProcessesWith(first).empty()) << "the old ranks are killed on contact";
  const json end = Await("gang", Ended);
  std::cout << "lease " << lease_ << " s: a cut of " << short_cut
            << " changes nothing; a longer one"
            << " is fenced after " << absl::Trunc(fenced_after, absl::Milliseconds(1))
            << ", the rank behind it " << (lone_rank ? "runs on and" : "ends and") << " is gone "
            << absl::Trunc(killed_after, absl::Milliseconds(1)) << " after the cable is mended"
            << std::endl;
  EXPECT_LE(fenced_after, absl::Seconds(lease_ + 2));
  EXPECT_EQ(end.value("state", ""), "SUCCEEDED") << end.dump();
  ASSERT_EQ(end["attempts"].size(), 2u);
  EXPECT_EQ(end["restarts_used"], 0);
  EXPECT_TRUE(ProcessesWith("FPO_ATTEMPT=" + end.value("job_id", "")).empty());
  EXPECT_EQ(CheckTransitions(ReadFile(folder_ + "/log")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
