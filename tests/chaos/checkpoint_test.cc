// Promise 11: a checkpoint is all or nothing. A writer is killed again and again while it writes,
// and files of what it left are torn, flipped or lost: whatever is loaded is whole, an acknowledged
// step is there, and damage costs one checkpoint.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/chaos/cache/cache_chaos.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/checkpoint/checkpoint_writer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNumbers = 20'000;
constexpr int64_t kKeepLast = 3;

// All of a checkpoint follows from its step.
CheckpointContent ContentOf(int64_t step) {
  const auto value = static_cast<double>(step);
  return {step,
          {{"w", at::full({kNumbers}, value)}},
          {{"m", at::full({kNumbers}, -value)}},
          absl::StrCat("{\"step\": ", step, "}")};
}

bool IsWhole(const SavedCheckpoint& checkpoint) {
  const CheckpointContent wanted = ContentOf(checkpoint.info.step);
  return at::equal(*checkpoint.model.Tensor("w"), wanted.model.at("w")) &&
         at::equal(*checkpoint.optimizer.Tensor("m"), wanted.optimizer.at("m")) &&
         checkpoint.state_json == wanted.state_json;
}

// Writes one checkpoint after the other and says which are written, until it is killed.
class Writer {
 public:
  Writer(const std::string& out, int64_t first) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      CheckpointWriter writer(out, {.keep_last = kKeepLast, .keep_best = 0});
      for (int64_t step = first;; ++step) {
        if (!writer.Write(ContentOf(step)).ok()) _exit(1);
        if (write(ends[1], &step, sizeof(step)) != sizeof(step)) _exit(2);
      }
    }
    close(ends[1]);
    said_ = ends[0];
  }
  ~Writer() { close(said_); }

  // The next acknowledged step; 0 when there is none.
  int64_t Next() {
    int64_t step = 0;
    return read(said_, &step, sizeof(step)) == sizeof(step) ? step : 0;
  }
  // The last acknowledged step.
  int64_t Kill(int after_us, int64_t last) {
    usleep(static_cast<useconds_t>(after_us));
    kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed, " << WEXITSTATUS(status);
    for (int64_t step; (step = Next()) != 0;) last = step;
    return last;
  }

 private:
  pid_t pid_ = -1;
  int said_ = -1;
};

class CheckpointChaos : public ::testing::Test {
 protected:
  CheckpointChaos() : random_(fpo::testing::SeededRandom()) {
    at::set_num_threads(1);  // a forked child has no other threads
    std::string folder = fpo::testing::FastFolder() + "/fpo-checkpoint-XXXXXX";
    out_ = mkdtemp(folder.data());
  }
  ~CheckpointChaos() override { fs::remove_all(out_); }

  int64_t Below(int64_t end) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(end));
  }

  // Tears, flips or removes one file of a checkpoint.
  void Damage(const fs::path& folder) {
    const char* names[] = {"manifest.json", "model.safetensors", "optimizer.safetensors",
                           "state.json"};
    const fs::path file = folder / names[Below(4)];
    const auto size = static_cast<int64_t>(fs::file_size(file));
    const int64_t kind = Below(3);
    ++damages_[kind];
    if (kind == 0) return fs::resize_file(file, static_cast<uintmax_t>(Below(size)));
    if (kind == 1) {
      fs::remove(file);
      return;
    }
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    const int64_t at = Below(size);
    bytes.seekg(at);
    const auto flipped = static_cast<char>(bytes.get() ^ (1 << Below(8)));
    bytes.seekp(at);
    bytes.put(flipped);
  }

  // Loads as a run that resumes does; its step, -1 for nothing.
  int64_t Load() {
    std::vector<SkippedCheckpoint> skipped;
    const auto accept = [](const SavedCheckpoint&) { return absl::OkStatus(); };
    const auto checkpoint = LoadNewestCheckpoint(out_, accept, &skipped);
    said_ += skipped.size();
    if (!checkpoint.ok()) return -1;
    bad_loads_ += !IsWhole(*checkpoint);
    ++loads_;
    return checkpoint->info.step;
  }

  std::mt19937_64 random_;
  std::string out_;
  int loads_ = 0, bad_loads_ = 0, damages_[3] = {};
  size_t said_ = 0;
};

TEST_F(CheckpointChaos, KillsTearsAndFlipsNeverLoadAnythingButAWholeCheckpoint) {
  const int rounds = fpo::testing::Rounds("FPO_CHAOS_CHECKPOINTS", 30);
  int64_t step = 0;
  int lost = 0, not_previous = 0;
  for (int round = 0; round < rounds; ++round) {
    int64_t acknowledged = 0;
    {
      Writer writer(out_, step + 1);
      for (int64_t i = 0; i < kKeepLast; ++i) acknowledged = writer.Next();
      ASSERT_GT(acknowledged, 0);
      acknowledged = writer.Kill(static_cast<int>(Below(20'000)), acknowledged);
    }
    const int64_t newest = Load();
    lost += newest < acknowledged;
    // Of what is there, the newest one is damaged: the one before it is as good as ever.
    const std::vector<CheckpointInfo> all = ListCheckpoints(out_);
    ASSERT_GE(all.size(), 2u);
    const size_t said = said_;
    Damage(all[0].folder);
    step = Load();
    const bool harmless = step == all[0].step;  // e.g. a space of the manifest
    not_previous += !harmless && step != all[1].step;
    EXPECT_EQ(said_ > said, !harmless) << "a checkpoint that is not used is named";
    if (!harmless) {
      std::error_code error;
      fs::remove_all(all[0].folder, error);
    }
  }
  std::cout << "checkpoints: " << rounds << " kills while writing, " << damages_[0] << " torn, "
            << damages_[1] << " lost, " << damages_[2] << " flipped files; " << loads_ << " loads, "
            << bad_loads_ << " bad; " << lost << " acknowledged steps lost, " << not_previous
            << " times not the previous one" << std::endl;
  EXPECT_EQ(bad_loads_, 0);
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(not_previous, 0);
}

}  // namespace
}  // namespace fpo::train
