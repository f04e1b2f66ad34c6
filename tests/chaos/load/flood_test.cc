// Peers that have shown no token yet, and never will: what they send must cost the coordinator
// neither its memory, nor its listener, nor the heartbeats of its workers.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/load/envoy_front.h"
#include "tests/chaos/load/raw_http2.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using Http2 = RawHttp2;

// What fits a test of how a service stands what its peers do. Told in one line per test.
class PeerChaos : public ::testing::Test {
 protected:
  explicit PeerChaos(int coordinator_files = 0)
      : service_({.trainer = "fake", .coordinator_files = coordinator_files}) {
    service_.StartAll();
    address_ = service_.GrpcAddress("coordinator");
  }
  // Of the coordinator, in MiB.
  double Memory() {
    for (const absl::string_view line : absl::StrSplit(
             ReadFile(absl::StrCat("/proc/", service_.Pid("coordinator"), "/status")), '\n')) {
      if (line.rfind("VmRSS:", 0) == 0) return std::stod(std::string(line.substr(6))) / 1024;
    }
    return 0;
  }
  size_t MetricLines() {
    const std::string text = service_.Http("coordinator", "/metrics");
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  double Metric(const std::string& name) {
    const std::string text = "\n" + service_.Http("coordinator", "/metrics");
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
  }
  double Expired() { return Metric("fpo_lease_expirations_total{kind=\"worker\"}"); }
  void NoteBefore() {
    SlowestCall();
    before_ = Memory();
    lines_before_ = MetricLines();
  }
  // The longest of a few calls of a user, who dials anew each time; each must be answered.
  absl::Duration SlowestCall() {
    absl::Duration slowest;
    for (int i = 0; i < 3; ++i) {
      const absl::Time begin = absl::Now();
      const Outcome outcome = service_.Ctl({"list"});
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      slowest = std::max(slowest, absl::Now() - begin);
    }
    return slowest;
  }

  LocalService service_;
  std::string address_;
  double before_ = 0;
  size_t lines_before_ = 0;
};

class FloodChaos : public PeerChaos, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (IsDirect()) return;
    if (!EnvoyFront::IsThere()) GTEST_SKIP() << "no Envoy: FPO_ENVOY names none";
    envoy_.emplace(&service_, /*tls=*/false);
    address_ = envoy_->coordinator();
  }
  static bool IsDirect() { return std::string(GetParam()) == "Direct"; }
  // Lets `attack` run on four connections at once, again and again, until it IsOver.
  void Attack(absl::Duration time, const std::function<int64_t(Http2* peer)>& attack) {
    time_ = time;
    end_ = absl::Now() + time;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        while (!IsOver()) {
          Http2 peer(address_);
          ++connections_;
          if (peer.is_open()) done_ += attack(&peer);
        }
      });
    }
    const absl::Time asked = absl::Now();
    is_answered_ = service_.Ctl({"list"}).code == 0;
    during_ = absl::Now() - asked;
    for (std::thread& thread : threads) thread.join();
    // Whatever happened meanwhile, the service works again by itself.
    const absl::Time over = absl::Now();
    while (service_.Ctl({"list"}).code != 0 && absl::Now() < over + absl::Minutes(2)) {
    }
    again_ = absl::Now() - over;
  }
  // Also when a direct peer has made its calls, of which it is about to make `calls` more: how many
  // a second brings depends on the machine, what one costs does not.
  bool IsOver(int64_t calls = 0) {
    if (IsDirect()) calls_left_ -= calls;
    return absl::Now() >= end_ || calls_left_ < 0;
  }
  // Each call costs memory that is given back slowly: directly up to 20 KB, behind Envoy, which
  // closes such connections itself, 140 bytes.
  double CostOfDirectCalls() const { return 200 + static_cast<double>(done_) * 24 / 1024; }  // MiB
  absl::Duration TimeOfCalls() const {
    return std::min(tier_time_, IsDirect() ? absl::Seconds(1) : absl::Seconds(5));
  }
  // What docs/operations.md promises: a service that works again by itself and bounded memory;
  // behind Envoy also answers meanwhile, and no lease lost.
  void ExpectCostsAtMost(double mib) {
    EXPECT_LT(again_, absl::Minutes(2));
    EXPECT_LT(Memory(), before_ + mib);
    if (IsDirect()) return;
    EXPECT_TRUE(is_answered_);
    EXPECT_EQ(Expired(), 0);
  }
  void Tell(const std::string& what) {
    std::cout << what << " (" << GetParam() << "): " << done_ << " on " << connections_
              << " connections in " << Words(time_) << "; fpoctl list meanwhile "
              << (is_answered_ ? "" : "without an answer for ") << Words(during_)
              << ", answered at most " << Words(again_) << " after it, then in "
              << Words(SlowestCall()) << "; memory " << static_cast<int>(before_) << " -> "
              << static_cast<int>(Memory()) << " MiB, metric lines " << lines_before_ << " -> "
              << MetricLines() << ", leases expired " << Expired() << std::endl;
  }

  const absl::Duration tier_time_ = absl::Seconds(ChaosCount("FPO_CHAOS_FLOOD_SECONDS", 1));
  absl::Duration time_;
  absl::Time end_;
  bool is_answered_ = false;
  absl::Duration again_;
  std::optional<EnvoyFront> envoy_;
  std::atomic<int64_t> done_ = 0;
  std::atomic<int64_t> calls_left_ = ChaosCount("FPO_CHAOS_FLOOD_CALLS", 20'000);
  std::atomic<int64_t> connections_ = 0;
  absl::Duration during_;
};

TEST_P(FloodChaos, UnknownPaths) {
  NoteBefore();
  std::atomic<int> number = 0;
  Attack(TimeOfCalls(), [&](Http2* peer) -> int64_t {
    int64_t sent = 0;
    for (uint32_t stream = 1; stream < 2000 && !IsOver(1); stream += 2, ++sent) {
      const std::string path = absl::StrCat("/x/", ++number, std::string(2000, 'y'));
      if (!peer->Send(Http2::Frame(Http2::kHeaders, Http2::kEndHeaders | Http2::kEndStream, stream,
                                   Http2::CallHeaders(path)))) {
        break;
      }
    }
    return sent;
  });
  Tell("calls of unknown methods");
  EXPECT_LT(MetricLines(), lines_before_ + 100);
  ExpectCostsAtMost(IsDirect() ? CostOfDirectCalls() : 150);
}

TEST_P(FloodChaos, CallsThatAreResetAtOnce) {
  NoteBefore();
  const std::string headers = Http2::CallHeaders("/fpo.v1.Coordinator/ListJobs");
  Attack(TimeOfCalls(), [&](Http2* peer) -> int64_t {
    int64_t sent = 0;
    for (uint32_t stream = 1; stream < 200'000 && !IsOver(100);) {
      std::string many;
      for (int i = 0; i < 100; ++i, stream += 2) {
        many += Http2::Frame(Http2::kHeaders, Http2::kEndHeaders, stream, headers) +
                Http2::Frame(Http2::kReset, 0, stream, std::string("\0\0\0\x08", 4));
      }
      if (!peer->Send(many)) break;
      sent += 100;
    }
    return sent;
  });
  Tell("calls that are reset at once");
  ExpectCostsAtMost(IsDirect() ? CostOfDirectCalls() : 1024);
}

// Headers without an end, a table entry that is named a million times, and one header of 1 MiB.
TEST_P(FloodChaos, HeadersThatUnpackToGigabytes) {
  NoteBefore();
  std::atomic<int> turn = 0;
  Attack(tier_time_, [&](Http2* peer) -> int64_t {
    int64_t bytes = 0;
    const auto send = [&](const std::string& frame) {
      bytes += static_cast<int64_t>(frame.size());
      return peer->Send(frame);
    };
    const int kind = turn++ % 3;
    const std::string call = Http2::CallHeaders("/fpo.v1.Coordinator/ListJobs");
    if (!send(Http2::Frame(Http2::kHeaders, 0, 1, call))) return bytes;
    std::string more = Http2::Header("x", std::string(16'000, 'x'));
    if (kind == 1) {
      // Literal with indexing, then its entry (62) thousands of times.
      more = std::string("\x40\x01x\x7f\x81\x1e", 6) + std::string(4096 - 128, 'x');
      if (!send(Http2::Frame(Http2::kContinuation, 0, 1, more))) return bytes;
      more = std::string(16'000, '\xbe');
    }
    if (kind == 2) more = std::string(16'000, '\0');
    for (int i = 0; i < 500 && send(Http2::Frame(Http2::kContinuation, 0, 1, more)); ++i) {
    }
    return bytes;
  });
  Tell("bytes of header bombs");
  ExpectCostsAtMost(1024);  // twice what gRPC's buffers may have
}

INSTANTIATE_TEST_SUITE_P(Of, FloodChaos, ::testing::Values("Direct", "BehindEnvoy"),
                         [](const auto& tested) { return std::string(tested.param); });

class IdlePeersChaos : public PeerChaos {
 protected:
  // As `ulimit -n 1024`, of which connections get 384.
  IdlePeersChaos() : PeerChaos(/*coordinator_files=*/1024) {}
  // Connections without a call, for a while; served again once they are gone.
  void Idle(int count) {
    const absl::Time begin = absl::Now();
    {
      std::vector<std::unique_ptr<Http2>> idle;
      for (int i = 0; i < count; ++i) idle.push_back(std::make_unique<Http2>(address_));
      Pause(absl::Seconds(ChaosCount("FPO_CHAOS_IDLE_SECONDS", 4)));  // longer than a lease
    }
    const absl::Time closed = absl::Now();
    while (service_.Ctl({"list"}).code != 0 && absl::Now() < closed + absl::Seconds(60)) {
    }
    EXPECT_EQ(service_.Ctl({"list"}).code, 0);
    EXPECT_EQ(service_.Http("coordinator", "/readyz"), "ok\n");
    EXPECT_EQ(Expired(), 0);
    EXPECT_EQ(Sessions(), 1) << "the agent's connection was there before";
    std::cout << count << " idle connections for " << Words(closed - begin) << " under a limit of "
              << FilesMax() << " open files: served " << Words(absl::Now() - closed)
              << " after them, " << Metric("fpo_connections_refused") << " refused, "
              << Metric("fpo_connections_accept_failures")
              << " times no descriptor, leases expired " << Expired() << ", memory "
              << static_cast<int>(before_) << " -> " << static_cast<int>(Memory()) << " MiB"
              << std::endl;
  }
  // How often the agent had to dial.
  int Sessions() {
    const std::string log = service_.Log("worker");
    int sessions = 0;
    const std::string line = "\"session with the coordinator\"";
    for (size_t at = 0; (at = log.find(line, at)) != std::string::npos; ++at) ++sessions;
    return sessions;
  }
  int64_t FilesMax() {
    rlimit limit{};
    prlimit(service_.Pid("coordinator"), RLIMIT_NOFILE, nullptr, &limit);
    return static_cast<int64_t>(limit.rlim_cur);
  }
};

TEST_F(IdlePeersChaos, BeyondTheirShareAreRefusedUntilOthersEnd) {
  NoteBefore();
  Idle(1100);
  EXPECT_GT(Metric("fpo_connections_refused"), 0);
  EXPECT_EQ(Metric("fpo_connections_accept_failures"), 0) << "tables keep their descriptors";
}

// The limit fell under a running program, or its tables took more than their share.
TEST_F(IdlePeersChaos, WithoutAnyDescriptorTheListenerWaitsForOne) {
  NoteBefore();
  const rlimit low{128, 128};
  ASSERT_EQ(prlimit(service_.Pid("coordinator"), RLIMIT_NOFILE, &low, nullptr), 0);
  Idle(300);
  EXPECT_GT(Metric("fpo_connections_accept_failures"), 0);
}

}  // namespace
}  // namespace fpo::testing
