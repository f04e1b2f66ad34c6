#include "tests/train/runs/trainer_process.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/files/durable_file.h"
#include "common/job/job_file.h"
#include "tests/train/support/free_port.h"
#include "train/checkpoint/checkpoint_reader.h"

namespace fpo::train {
namespace {

int64_t Differing(const std::string& a, const std::string& b) {
  int64_t count = std::abs(static_cast<int64_t>(a.size()) - static_cast<int64_t>(b.size()));
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) count += a[i] != b[i];
  return count;
}

// metrics.jsonl without what a clock or the kernel says, numbers in full.
std::string Numbers(const std::string& out) {
  std::string text;
  for (const bool evaluations : {false, true}) {
    for (const MetricLine& line : ReadMetrics(out, evaluations)) {
      for (const auto& [name, value] : line) {
        const bool measured = name.find("seconds") != std::string::npos ||
                              name == "memory_peak_bytes" || name == "mfu" ||
                              name == "gemm_fraction";
        if (!measured)
          absl::StrAppend(&text, name, "=", absl::Hex(std::bit_cast<uint64_t>(value)), " ");
      }
      text += "\n";
    }
  }
  return text;
}

}  // namespace

TrainerProcesses::TrainerProcesses() : job(tiny.Job("fpo")) {}

testing::Process TrainerProcesses::Start(const std::string& name, int64_t rank, int64_t world,
                                         int port) {
  const char* folder = std::getenv("FPO_BIN_DIR");
  const std::string file = tiny.Path(name + ".json");
  const absl::Status written = WriteFileAtomically(file, WriteJobJson(job));
  EXPECT_TRUE(written.ok()) << written;
  std::vector<std::string> argv = {absl::StrCat(folder != nullptr ? folder : ".", "/fpo-train"),
                                   "run",
                                   "--job",
                                   file,
                                   "--out",
                                   Out(name),
                                   "--prepared",
                                   tiny.Path("prepared"),
                                   "--device",
                                   "cpu",
                                   "--threads",
                                   "1",
                                   "--resume"};
  if (std::filesystem::exists(tiny.Path("reference.fpr"))) {
    argv.insert(argv.end(), {"--reference", tiny.Path("reference.fpr")});
  }
  if (world > 1) {
    argv.insert(argv.end(), {"--rank", absl::StrCat(rank), "--world-size", absl::StrCat(world),
                             "--rendezvous", absl::StrCat("127.0.0.1:", port), "--rank-timeout",
                             absl::StrCat(rank_timeout_seconds)});
  }
  const auto failpoint = failpoints.find(rank);
  if (failpoint != failpoints.end()) {
    argv.insert(argv.begin() + 1, {"--failpoint", failpoint->second});
  }
  return testing::Process(argv, {}, tiny.Path(name + ".log"));
}

std::vector<testing::Process> TrainerProcesses::StartRanks(const std::string& name, int64_t world) {
  const int port = FreePort();
  std::vector<testing::Process> ranks;
  for (int64_t rank = 0; rank < world; ++rank) ranks.push_back(Start(name, rank, world, port));
  return ranks;
}

void TrainerProcesses::Finish(const std::string& name, int64_t world) {
  std::vector<testing::Process> ranks = StartRanks(name, world);
  for (testing::Process& rank : ranks) ASSERT_EQ(rank.Wait(absl::Seconds(120)), 0) << Log(name);
}

bool TrainerProcesses::WaitForStep(const std::string& name, int64_t step) const {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  const std::string path = Out(name) + "/metrics.jsonl", wanted = absl::StrCat("{\"step\":", step);
  while (absl::Now() < deadline) {
    if (std::filesystem::exists(path) && Slurp(path).find(wanted + ",") != std::string::npos) {
      return true;
    }
    poll(nullptr, 0, 2);
  }
  return false;
}

int64_t TrainerProcesses::DifferingBytes(const std::string& a, const std::string& b) const {
  int64_t count = Differing(Slurp(Out(a) + "/model/model.safetensors"),
                            Slurp(Out(b) + "/model/model.safetensors"));
  const auto checkpoints = ListCheckpoints(Out(a));
  EXPECT_FALSE(checkpoints.empty());
  if (checkpoints.empty()) return -1;
  const std::string folder = absl::StrCat("/checkpoints/step-", checkpoints.front().step);
  int64_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Out(a) + folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    const std::string other = Out(b) + folder + "/" + entry.path().filename().string();
    count += Differing(Slurp(entry.path()), Slurp(other));
    ++files;
  }
  EXPECT_GE(files, 2) << folder;
  return count + Differing(Numbers(Out(a)), Numbers(Out(b)));
}

}  // namespace fpo::train
