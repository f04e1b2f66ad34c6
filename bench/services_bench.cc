// Load on a real coordinator: how long a page of a long list takes, how fast it restarts, submits
// at a steady rate, and what the heartbeats of many workers cost.
//   fpo_services_bench [JOBS] [WORKERS] [postgres]      (FPO_BIN_DIR: where the programs are)

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"
#include "tests/integration/postgres_server.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;

// Milliseconds by rank.
struct Latencies {
  std::vector<double> ms;
  void Add(absl::Duration time) { ms.push_back(absl::ToDoubleMilliseconds(time)); }
  double At(double share) {
    std::sort(ms.begin(), ms.end());
    return ms.empty() ? 0 : ms[std::min(ms.size() - 1, static_cast<size_t>(share * ms.size()))];
  }
  void Print(const char* what) {
    std::printf("%-34s p50 %6.1f ms   p99 %6.1f ms   max %6.1f ms   (%zu)\n", what, At(0.5),
                At(0.99), At(1.0), ms.size());
  }
};

double CpuSeconds(int pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string word;
  double ticks = 0;
  for (int i = 3; fields >> word; ++i) {
    if (i == 14 || i == 15) ticks += std::stod(word);
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

long ResidentMib(int pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stol(line.substr(6)) / 1024;
  }
  return 0;
}

absl::Duration Patient() { return absl::Seconds(10); }

void Fill(LocalService* service, int jobs) {
  constexpr int kClients = 8;
  const absl::Time begin = absl::Now();
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      StubbornUser user(service->GrpcAddress("coordinator"));
      for (int i = c; i < jobs; i += kClients) {
        const std::string name = absl::StrCat("fill-", i);
        user.Submit(name, ChaosJob(name), Patient);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  std::printf("%-34s %d in %.1f s, %.0f/s from %d clients\n", "submits, as fast as it goes", jobs,
              seconds, jobs / seconds, kClients);
}

void List(LocalService* service) {
  StubbornUser user(service->GrpcAddress("coordinator"));
  Latencies latencies;
  for (int i = 0; i < 500; ++i) {
    pb::ListJobsRequest request;
    request.set_page_size(100);
    pb::ListJobsResponse page;
    grpc::ClientContext context;
    SetDeadline(&context, Patient());
    const absl::Time begin = absl::Now();
    if (user.stub().ListJobs(&context, request, &page).ok()) latencies.Add(absl::Now() - begin);
  }
  latencies.Print("list, a page of 100");
}

void Restart(LocalService* service) {
  service->Kill("coordinator");
  const absl::Time begin = absl::Now();
  service->Start("coordinator");
  StubbornUser user(service->GrpcAddress("coordinator"));
  pb::ListJobsRequest request;
  pb::ListJobsResponse page;
  for (bool answered = false; !answered;) {  // a standby first, with PostgreSQL
    grpc::ClientContext context;
    SetDeadline(&context, Patient());
    context.set_wait_for_ready(true);
    answered = user.stub().ListJobs(&context, request, &page).ok();
    if (!answered) Pause(absl::Milliseconds(5));
  }
  std::printf("%-34s %.2f s to the first answer after kill -9\n", "restart",
              absl::ToDoubleSeconds(absl::Now() - begin));
}

void SteadySubmits(LocalService* service) {
  StubbornUser user(service->GrpcAddress("coordinator"));
  Latencies latencies;
  absl::Time due = absl::Now();
  for (int i = 0; i < 50 * 20; ++i) {
    Pause(std::max(due - absl::Now(), absl::ZeroDuration()));
    const std::string name = absl::StrCat("steady-", i);
    user.Submit(name, ChaosJob(name), Patient);
    latencies.Add(absl::Now() - due);  // from when it was due: a slow one delays the next
    due += absl::Milliseconds(20);
  }
  latencies.Print("submits at 50/s, each synced");
}

void Beats(LocalService* service, int workers) {
  std::atomic<bool> stop = false;
  std::atomic<int> welcomed = 0;
  const auto channel = MakeChannel(service->GrpcAddress("coordinator")).value();
  std::vector<std::thread> threads;
  for (int w = 0; w < workers; ++w) {
    threads.emplace_back([&, w] {
      const auto stub = pb::WorkerControl::NewStub(channel);
      grpc::ClientContext context;
      auto stream = stub->Session(&context);
      pb::WorkerMessage message;
      message.mutable_hello()->set_worker_id(absl::StrCat("w-", w));
      message.mutable_hello()->set_instance_id("i");
      message.mutable_hello()->set_slots(8);
      stream->Write(message);
      pb::CoordinatorMessage answer;
      welcomed += stream->Read(&answer);
      for (uint64_t seq = 1; !stop; ++seq) {
        message.mutable_beat()->set_seq(seq);
        stream->Write(message);
        stream->Read(&answer);
        for (int i = 0; i < 20 && !stop; ++i) Pause(absl::Milliseconds(100));
      }
      context.TryCancel();
    });
  }
  while (welcomed < workers) Pause(absl::Milliseconds(50));
  const int pid = service->Pid("coordinator");
  Pause(absl::Seconds(4));
  const double before = CpuSeconds(pid);
  const absl::Time begin = absl::Now();
  Pause(absl::Seconds(20));
  const double share = (CpuSeconds(pid) - before) / absl::ToDoubleSeconds(absl::Now() - begin);
  std::printf("%-34s %.1f %% of one core, beats every 2 s\n",
              absl::StrCat(workers, " workers").c_str(), 100 * share);
  std::printf("%-34s %ld MiB resident\n", "memory", ResidentMib(pid));
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

int Run(int jobs, int workers, bool with_postgres) {
  std::unique_ptr<PostgresServer> server;
  LocalService::Settings settings;
  settings.heartbeat = "2s";
  settings.lease = settings.reattach = "15s";
  if (with_postgres) {
    server = std::make_unique<PostgresServer>();
    settings.store = server->Url();
  }
  LocalService service(settings);
  service.Start("coordinator");
  Fill(&service, jobs);
  std::printf("%-34s %ld MiB resident\n", "memory", ResidentMib(service.Pid("coordinator")));
  List(&service);
  Restart(&service);
  SteadySubmits(&service);
  Beats(&service, workers);
  return 0;
}

}  // namespace
}  // namespace fpo::testing

int main(int argc, char** argv) {
  return fpo::testing::Run(argc > 1 ? std::atoi(argv[1]) : 10'000,
                           argc > 2 ? std::atoi(argv[2]) : 1'000,
                           argc > 3 && std::string(argv[3]) == "postgres");
}
