// Promise 19: memory is bounded. Readers that stop reading cost little at coordinator and cache,
// and hours of jobs leave the programs as large as they were.

#include <grpcpp/create_channel.h>

#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/reference/packed_record.h"
#include "common/rpc/channel.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/session.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"
#include "tests/cache/core/test_records.h"
#include "tests/chaos/history_witness.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;
using nlohmann::json;

constexpr double kMiB = 1 << 20;
constexpr double kReaderMiBMax = 8;

double ResidentMiB(int pid) {
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096 / kMiB;
}

// A connection of its own, as another process would have it.
std::shared_ptr<grpc::Channel> OwnChannel(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

// Begins a stream, takes one message and never reads again.
template <typename Response>
class StoppedReader {
 public:
  template <typename Start>
  explicit StoppedReader(Start start) : reader_(start(&context_)) {
    Response first;
    EXPECT_TRUE(reader_->Read(&first)) << "the stream gives something";
  }
  ~StoppedReader() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Response>> reader_;
};

void SettleAndReport(const std::string& what, int readers, double before, int pid) {
  double most = 0;
  for (const absl::Time end = absl::Now() + absl::Seconds(1); absl::Now() < end;) {
    most = std::max(most, ResidentMiB(pid));
    Pause(absl::Milliseconds(50));
  }
  const double each = (most - before) / readers;
  std::cout << what << ": " << readers << " readers that stopped cost " << each << " MiB each"
            << std::endl;
  EXPECT_LE(each, kReaderMiBMax);
}

TEST(Soak, StoppedReadersOfTheCoordinatorCostLittle) {
  LocalService service({.trainer = "fake"});
  service.StartAll();
  const auto submit = [&](const std::string& name, const std::string& how) {
    EXPECT_EQ(service.Ctl({"submit", service.WriteFakeJob(name, how), "-q"}).code, 0);
  };
  submit("talkative", "steps-3000-0-0-4000");  // 12 MB of lines
  ASSERT_TRUE(service.Until("talkative", [](const json& job) { return job.contains("ended"); }));
  submit("busy", "steps-100000000-1-50");
  ASSERT_TRUE(service.Until("busy", [](const json& job) {
    return job.value("progress", json::object()).value("step", "0") != "0";
  }));
  constexpr int kReaders = 8;
  const int pid = service.Pid("coordinator");
  const std::string address = service.GrpcAddress("coordinator");
  const double before = ResidentMiB(pid);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  std::vector<std::unique_ptr<StoppedReader<pb::LogsResponse>>> logs;
  std::vector<std::unique_ptr<StoppedReader<pb::WatchJobResponse>>> watches;
  for (int i = 0; i < kReaders; ++i) {
    channels.push_back(OwnChannel(address));
    const auto stub = pb::Coordinator::NewStub(channels.back());
    logs.push_back(std::make_unique<StoppedReader<pb::LogsResponse>>([&](auto* context) {
      pb::LogsRequest request;
      request.set_job_id("talkative");
      request.set_follow(true);
      return stub->Logs(context, request);
    }));
    watches.push_back(std::make_unique<StoppedReader<pb::WatchJobResponse>>([&](auto* context) {
      pb::WatchJobRequest request;
      request.set_job_id("busy");
      return stub->WatchJob(context, request);
    }));
  }
  SettleAndReport("coordinator, Logs of 12 MB and Watch of a busy job", 2 * kReaders, before, pid);
}

// A complete manifest of 20 MB in large records; its id.
Digest FillCache(ReferenceCacheClient& cache) {
  constexpr int kRecords = 512, kBatch = 16, kFeatures = 8000;
  const Recipe recipe = cache::FeatureTestRecipe();
  NewManifest header{
      .recipe = CanonicalRecipe(recipe), .keys = {}, .owner = "soak", .name = "soak"};
  for (int i = 0; i < kRecords; ++i) header.keys.push_back(cache::TestKey(i));
  const auto manifest = cache.PutManifest(header);
  EXPECT_TRUE(manifest.ok()) << manifest.status();
  const auto claim =
      cache.Claim({.manifest_id = manifest->manifest_id, .limit = kRecords, .builder = "soak"});
  EXPECT_TRUE(claim.ok() && claim->ordinals.size() == kRecords) << claim.status();
  std::vector<std::string> packed;
  for (int first = 0; first < kRecords; first += kBatch) {
    std::string& batch = packed.emplace_back();
    for (int i = first; i < first + kBatch; ++i) {
      Record record{.sum_logp = -1.0 - i, .tokens = 7, .features = {{}}};
      for (uint32_t f = 0; f < kFeatures; ++f) {
        record.features[0].emplace_back(f, 0.5f + static_cast<float>(f + static_cast<uint32_t>(i)));
      }
      AppendPacked(Pack(cache::TestKey(i), record), &batch);
    }
  }
  std::vector<PutBatch> batches;
  for (const std::string& batch : packed) {
    batches.push_back({.claim_id = claim->claim_id, .packed = batch});
  }
  const auto stored = cache.PutRecords(manifest->manifest_id, batches);
  EXPECT_TRUE(stored.ok()) << stored.status();
  return manifest->manifest_id;
}

TEST(Soak, StoppedReadersOfTheCacheCostLittle) {
  LocalService service({.trainer = "fake"});
  service.Start("cache");
  ctl::Interrupt never;
  const std::string address = service.GrpcAddress("cache");
  ReferenceCacheClient cache = ctl::CacheClientOf(MakeChannel(address).value(), address, never);
  const Digest manifest = FillCache(cache);
  int64_t pulled = 0;
  ASSERT_TRUE(cache
                  .PullManifest({.manifest_id = manifest},
                                [&](const RecordFrame& frame) {
                                  pulled += static_cast<int64_t>(frame.packed.size());
                                  return absl::OkStatus();
                                })
                  .ok());
  ASSERT_GT(pulled, 15'000'000);
  constexpr int kReaders = 8;
  const int pid = service.Pid("cache");
  const double before = ResidentMiB(pid);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  std::vector<std::unique_ptr<StoppedReader<pb::PullManifestResponse>>> readers;
  for (int i = 0; i < kReaders; ++i) {
    channels.push_back(OwnChannel(address));
    const auto stub = pb::ReferenceCache::NewStub(channels.back());
    readers.push_back(std::make_unique<StoppedReader<pb::PullManifestResponse>>([&](auto* context) {
      pb::PullManifestRequest request;
      request.set_manifest_id(ToBytes(manifest));
      return stub->PullManifest(context, request);
    }));
  }
  SettleAndReport("cache, PullManifest of 20 MB", kReaders, before, pid);
}

// The slope of a line through points, y per x.
double SlopeOf(const std::vector<std::pair<double, double>>& points) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(points.size());
  for (const auto& [at, value] : points) {
    x += at;
    y += value;
    xx += at * at;
    xy += at * value;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

TEST(Soak, JobsLeaveTheProgramsAsLargeAsTheyWere) {
  const int minutes = ChaosCount("FPO_CHAOS_SOAK_MINUTES", 0);
  if (minutes == 0) GTEST_SKIP() << "only with FPO_CHAOS_SOAK_MINUTES";
  LocalService service({.trainer = "fake"});
  service.StartAll();
  HistoryWitness witness(service.GrpcAddress("coordinator"));
  const absl::Time begin = absl::Now();
  std::map<std::string, std::vector<std::pair<double, double>>> sizes;
  int jobs = 0;
  while (absl::Now() < begin + absl::Minutes(minutes)) {
    const std::string name = absl::StrCat("job-", ++jobs);
    EXPECT_EQ(service.Ctl({"submit", service.WriteFakeJob(name, "steps-200-1-50"), "-q"}).code, 0);
    EXPECT_TRUE(service.Until(name, [](const json& job) { return job.contains("ended"); }));
    EXPECT_EQ(service.Ctl({"logs", name, "-q"}).code, 0);
    const double minute = absl::ToDoubleMinutes(absl::Now() - begin);
    if (minute < minutes / 2.0) continue;  // it fills its buffers first
    for (const char* program : {"coordinator", "cache", "worker"}) {
      sizes[program].emplace_back(minute, ResidentMiB(service.Pid(program)));
    }
  }
  for (const auto& [program, points] : sizes) {
    const double slope = SlopeOf(points);
    std::cout << "soak of " << minutes << " min, " << jobs << " jobs: " << program << " at "
              << points.back().second << " MiB, slope in the second half " << slope << " MiB/min"
              << std::endl;
    EXPECT_LT(slope, 1.0) << program;
  }
  EXPECT_EQ(witness.Stop(), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
