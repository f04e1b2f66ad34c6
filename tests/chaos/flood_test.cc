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
#include "tests/chaos/envoy_front.h"
#include "tests/chaos/raw_http2.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using Http2 = RawHttp2;

class FloodChaos : public ::testing::TestWithParam<const char*> {
 protected:
  FloodChaos() : service_({.trainer = "fake"}) {
    service_.StartAll();
    address_ = service_.GrpcAddress("coordinator");
  }
  void SetUp() override {
    if (std::string(GetParam()) == "Direct") return;
    if (!EnvoyFront::IsThere()) GTEST_SKIP() << "no Envoy: FPO_ENVOY names none";
    envoy_.emplace(&service_, /*tls=*/false);
    address_ = envoy_->coordinator();
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
  // The longest of a few calls of a user, who dials anew each time.
  absl::Duration SlowestCall() {
    absl::Duration slowest;
    for (int i = 0; i < 3; ++i) {
      const absl::Time begin = absl::Now();
      EXPECT_EQ(service_.Ctl({"list"}).code, 0);
      slowest = std::max(slowest, absl::Now() - begin);
    }
    return slowest;
  }
  // Lets `attack` run on four connections at once, again and again, for the seconds of this tier.
  void Attack(const std::function<int64_t(Http2* peer)>& attack) {
    const absl::Time end = absl::Now() + absl::Seconds(seconds_);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        while (absl::Now() < end) {
          Http2 peer(address_);
          ++connections_;
          if (peer.is_open()) done_ += attack(&peer);
        }
      });
    }
    during_ = SlowestCall();
    for (std::thread& thread : threads) thread.join();
  }
  void Tell(const std::string& what) {
    std::cout << what << " (" << GetParam() << "): " << done_ << " on " << connections_
              << " connections in " << seconds_ << " s; slowest fpoctl list meanwhile "
              << Words(during_) << ", afterwards " << Words(SlowestCall()) << "; memory "
              << static_cast<int>(before_) << " -> " << static_cast<int>(Memory())
              << " MiB, metric lines " << lines_before_ << " -> " << MetricLines()
              << ", leases expired " << Expired() << std::endl;
  }

  const int seconds_ = ChaosCount("FPO_CHAOS_FLOOD_SECONDS", 3);
  LocalService service_;
  std::optional<EnvoyFront> envoy_;
  std::string address_;
  std::atomic<int64_t> done_ = 0;
  std::atomic<int64_t> connections_ = 0;
  absl::Duration during_;
  double before_ = 0;
  size_t lines_before_ = 0;
};

TEST_P(FloodChaos, PathsThatNobodyServes) {
  SlowestCall();
  before_ = Memory();
  lines_before_ = MetricLines();
  std::atomic<int> number = 0;
  Attack([&](Http2* peer) -> int64_t {
    int64_t sent = 0;
    for (uint32_t stream = 1; stream < 2000; stream += 2, ++sent) {
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
  EXPECT_LT(Memory(), before_ + 150);
  EXPECT_EQ(Expired(), 0);
}

TEST_P(FloodChaos, CallsThatAreResetAtOnce) {
  SlowestCall();
  before_ = Memory();
  lines_before_ = MetricLines();
  const std::string headers = Http2::CallHeaders("/fpo.v1.Coordinator/ListJobs");
  Attack([&](Http2* peer) -> int64_t {
    int64_t sent = 0;
    for (uint32_t stream = 1; stream < 200'000;) {
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
  EXPECT_LT(Memory(), before_ + 200);
  EXPECT_EQ(Expired(), 0);
}

// Headers without an end, a table entry that is named a million times, and one header of 1 MiB.
TEST_P(FloodChaos, HeadersThatUnpackToGigabytes) {
  SlowestCall();
  before_ = Memory();
  lines_before_ = MetricLines();
  std::atomic<int> turn = 0;
  Attack([&](Http2* peer) -> int64_t {
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
  EXPECT_LT(Memory(), before_ + 300);
  EXPECT_EQ(Expired(), 0);
}

// More than the limit of open files, without a byte: after them the listener takes others again.
TEST_P(FloodChaos, IdleConnectionsBeyondTheLimitOfOpenFiles) {
  if (envoy_) GTEST_SKIP() << "Envoy has a limit of its own";
  SlowestCall();
  before_ = Memory();
  lines_before_ = MetricLines();
  const rlimit low{128, 128};
  ASSERT_EQ(prlimit(service_.Pid("coordinator"), RLIMIT_NOFILE, &low, nullptr), 0);
  const absl::Time begin = absl::Now();
  {
    std::vector<std::unique_ptr<Http2>> idle;
    for (int i = 0; i < 300; ++i) idle.push_back(std::make_unique<Http2>(address_));
    connections_ = static_cast<int64_t>(idle.size());
    Pause(absl::Seconds(seconds_));
    EXPECT_NE(service_.Http("coordinator", "/readyz").find("Too many open files"),
              std::string::npos);
  }
  during_ = absl::ZeroDuration();
  const absl::Time closed = absl::Now();
  while (service_.Ctl({"list"}).code != 0 && absl::Now() < closed + absl::Seconds(60)) {
  }
  std::cout << "served " << Words(absl::Now() - closed) << " after 300 idle connections of "
            << Words(closed - begin) << " under a limit of 128 open files" << std::endl;
  EXPECT_EQ(service_.Ctl({"list"}).code, 0);
  EXPECT_EQ(service_.Http("coordinator", "/readyz"), "ok\n");
  Tell("idle connections");
  EXPECT_EQ(Expired(), 0);
}

INSTANTIATE_TEST_SUITE_P(Of, FloodChaos, ::testing::Values("Direct", "BehindEnvoy"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace fpo::testing
