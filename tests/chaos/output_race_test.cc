// One output folder, several who write to it: an attempt whose host was paused, wherever it was,
// and the next one of the same job; two jobs at once. What counts (the checkpoints, the model, the
// files of the run) is always whole and of the one that the folder belongs to.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/files/durable_file.h"
#include "common/outputs/folder_manifest.h"
#include "common/outputs/output_lock.h"
#include "common/outputs/publish.h"
#include "gtest/gtest.h"
#include "tests/chaos/cache/cache_chaos.h"
#include "tests/support/temp_folder.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/checkpoint/checkpoint_writer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

constexpr int kRefused = 10;  // it did not get the folder
constexpr int kThrew = 12;
constexpr int kFenced = 11;  // it had it, and could not publish any more
constexpr int64_t kRaceNumbers = 500;

// Everything that a run leaves follows from who wrote it.
absl::Status WriteModel(const std::string& out, const std::string& who) {
  const std::string building = BuildingPath(out + "/model");
  std::error_code error;
  fs::remove_all(building, error);
  fs::create_directories(building, error);
  for (const char* name : {"config.json", "model-1.safetensors", "model-2.safetensors"}) {
    absl::Status status = WriteFileAtomically(absl::StrCat(building, "/", name), who);
    if (!status.ok()) return status;
  }
  const absl::Status status = WriteFolderManifest(building);
  return status.ok() ? PublishFolder(building, out + "/model") : status;
}

absl::Status WriteAllOnce(CheckpointWriter* writer, const std::string& out, int64_t epoch,
                          const std::string& who) {
  const auto value = static_cast<double>(epoch);
  const auto written = writer->Write({8,
                                      {{"w", at::full({kRaceNumbers}, value)}},
                                      {{"m", at::full({kRaceNumbers}, -value)}},
                                      absl::StrCat("{\"who\": \"", who, "\"}")});
  if (!written.ok()) return written.status();
  absl::Status status = WriteFileAtomically(out + "/run.json", who);
  return status.ok() ? WriteModel(out, who) : status;
}

struct Attempt {
  std::string name;  // "JOB/ATTEMPT/EPOCH"
  int64_t epoch = 0;
  int rounds = 0;         // 0: until it is stopped by an error
  std::string failpoint;  // armed when it has the folder
};

// Says one byte for each round.
class Process {
 public:
  Process(const std::string& out, const Attempt& attempt) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      int code = kThrew;  // must not reach the test, which would remove its folder
      try {
        code = Run(out, attempt, ends[1]);
      } catch (const std::exception&) {
      }
      _exit(code);
    }
    close(ends[1]);
    said_ = ends[0];
  }
  ~Process() {
    close(said_);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  bool AwaitRound() const {
    char byte = 0;
    return read(said_, &byte, 1) == 1;
  }
  void Signal(int number) const { kill(pid_, number); }
  // Until the kernel says so.
  void AwaitStopped() const {
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
    EXPECT_TRUE(WIFSTOPPED(status)) << "it ended, " << WEXITSTATUS(status);
  }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static int Run(const std::string& out, const Attempt& attempt, int said) {
    signal(SIGPIPE, SIG_IGN);
    const auto lock = OutputLock::Take(out, HolderOf(attempt.name));
    if (!lock.ok()) return kRefused;
    if (!attempt.failpoint.empty()) ArmFailpoint(attempt.failpoint).IgnoreError();
    CheckpointWriter writer(out, {.keep_last = 2, .keep_best = 0});
    for (int round = 0; attempt.rounds == 0 || round < attempt.rounds; ++round) {
      if (!WriteAllOnce(&writer, out, attempt.epoch, attempt.name).ok()) return kFenced;
      (void)!write(said, "r", 1);
    }
    return 0;
  }
  pid_t pid_ = -1;
  int said_ = -1;
};

class OutputRaceChaos : public ::testing::Test {
 protected:
  OutputRaceChaos() : random_(fpo::testing::SeededRandom()), folder_(fpo::testing::FastFolder()) {
    at::set_num_threads(1);  // a forked child has no other threads
  }

  // Every file that counts, by name.
  std::map<std::string, std::string> Files(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(out)) {
      const std::string name = fs::relative(entry.path(), out).string();
      if (!entry.is_regular_file() || name == ".lock") continue;
      if (absl::StrContains(name, ".tmp") || absl::StrContains(name, ".old")) continue;
      files[name] = fpo::testing::ReadWhole(entry.path().string());
    }
    return files;
  }
  bool IsOf(const std::string& out, const Attempt& attempt) const {
    for (const char* name : {"run.json", "model/config.json", "model/model-1.safetensors",
                             "model/model-2.safetensors"}) {
      if (fpo::testing::ReadWhole(absl::StrCat(out, "/", name)) != attempt.name) return false;
    }
    const absl::StatusOr<FolderManifest> manifest = ReadFolderManifest(out + "/model");
    if (!manifest.ok() || manifest->size() != 3) return false;
    for (const auto& [name, file] : *manifest) {
      if (file.sha256 != Sha256Of(attempt.name)) return false;
    }
    std::vector<SkippedCheckpoint> skipped;
    const auto accept = [](const SavedCheckpoint&) { return absl::OkStatus(); };
    const auto checkpoint = LoadNewestCheckpoint(out, accept, &skipped);
    return checkpoint.ok() && skipped.empty() &&
           absl::StrContains(checkpoint->state_json, attempt.name) &&
           at::equal(*checkpoint->model.Tensor("w"),
                     at::full({kRaceNumbers}, static_cast<double>(attempt.epoch)));
  }
  uint64_t Below(uint64_t end) { return random_() % end; }

  void PausedHost(const std::string& out);
  void TwoJobs(const std::string& out);

  std::mt19937_64 random_;
  fpo::testing::TempFolder folder_;
  int fenced_ = 0, refused_ = 0, wrong_ = 0, in_the_gap_ = 0;
};

// Stopped anywhere, or between its check and its rename, where no check can help any more.
void OutputRaceChaos::PausedHost(const std::string& out) {
  const bool gap = Below(2) == 0;
  in_the_gap_ += gap;
  Attempt old{"j-1/1/1", 1, 0,
              gap ? absl::StrCat("publish.checked=stop@", 1 + Below(36)) : std::string()};
  Process paused(out, old);
  if (!gap) {
    ASSERT_TRUE(paused.AwaitRound());
    usleep(static_cast<useconds_t>(Below(4000)));
    paused.Signal(SIGSTOP);
  }
  paused.AwaitStopped();
  const Attempt next{"j-1/2/2", 2, 2, ""};
  Process second(out, next);
  EXPECT_EQ(second.Wait(), 0) << "the higher epoch has the folder at once";
  const auto before = Files(out);
  wrong_ += !IsOf(out, next);
  paused.Signal(SIGCONT);
  fenced_ += paused.Wait() == kFenced;
  wrong_ += Files(out) != before;
  Process late(out, old);
  refused_ += late.Wait() == kRefused;
  wrong_ += Files(out) != before;
}

void OutputRaceChaos::TwoJobs(const std::string& out) {
  const Attempt attempts[] = {{"j-1/1/1", 1, 3, ""}, {"j-2/1/7", 7, 3, ""}};
  Process first(out, attempts[0]);
  Process second(out, attempts[1]);
  const int ends[] = {first.Wait(), second.Wait()};
  refused_ += (ends[0] == kRefused) + (ends[1] == kRefused);
  // One after the other is right too.
  for (const int end : ends) wrong_ += end != 0 && end != kRefused;
  wrong_ += ends[0] == kRefused && ends[1] == kRefused;
  wrong_ += !IsOf(out, attempts[0]) && !IsOf(out, attempts[1]);
  for (int i : {0, 1}) wrong_ += ends[i] == kRefused && IsOf(out, attempts[i]);
}

TEST_F(OutputRaceChaos, WhatCountsIsOfOneWriter) {
  const int races = fpo::testing::Rounds("FPO_CHAOS_RACES", 40);
  for (int race = 0; race < races && !HasFatalFailure(); ++race) {
    const std::string out = folder_ / absl::StrCat("out-", race);
    if (race % 2 == 0) {
      PausedHost(out);
    } else {
      TwoJobs(out);
    }
    EXPECT_EQ(wrong_, 0) << "race " << race;
    fs::remove_all(out);
  }
  std::cout << "output folders: " << races << " races, " << in_the_gap_
            << " stopped between check and rename, " << fenced_ << " fenced, " << refused_
            << " refused, " << wrong_ << " wrong" << std::endl;
  EXPECT_EQ(fenced_, (races + 1) / 2);
}

}  // namespace
}  // namespace fpo::train
