// fpoctl download against a coordinator that breaks, lies and points elsewhere.
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "ctl/jobs/artifact_fetch.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/sample_job.h"
#include "tests/support/temp_folder.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::TempFolder;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;
using Writer = grpc::ServerWriter<pb::ReadArtifactResponse>;

class DownloadTest : public CommandRun {
 protected:
  DownloadTest() {
    pb::Job job;
    job.set_job_id("j-1");
    job.set_name("tiny");
    job.set_state(pb::JOB_STATE_SUCCEEDED);
    coordinator_.AddJob(job);
    coordinator_.SetArtifact([this](const pb::ReadArtifactRequest& request, Writer* writer) {
      return Answer(request, writer);
    });
    std::string big(300'000, 'a');
    for (size_t i = 0; i < big.size(); i += 101) big[i] = static_cast<char>('a' + i % 26);
    files_ = {{"model/weights", big}, {"run.json", "{}"}};
  }

  absl::Status Answer(const pb::ReadArtifactRequest& request, Writer* writer) {
    requests_.push_back(request);
    pb::ReadArtifactResponse answer;
    if (request.file().empty()) {
      for (const auto& [name, text] : files_) {
        pb::ArtifactFile* file = answer.add_files();
        file->set_name(name);
        file->set_bytes(static_cast<int64_t>(text.size()));
      }
      writer->Write(answer);
      return absl::OkStatus();
    }
    const std::string text = files_.at(request.file());
    if (request.offset() > static_cast<int64_t>(text.size())) {
      return absl::OutOfRangeError("shorter");
    }
    for (size_t at = static_cast<size_t>(request.offset()); at < text.size(); at += 50'000) {
      if (break_after_ >= 0 && break_after_-- == 0) return absl::UnavailableError("broke");
      answer.set_data(text.substr(at, 50'000));
      if (corrupt_ > 0) answer.mutable_data()->back() ^= 1;
      writer->Write(answer);
    }
    if (corrupt_ > 0) --corrupt_;
    answer.Clear();
    answer.set_sha256(ToBytes(Sha256Of(text)));
    writer->Write(answer);
    return absl::OkStatus();
  }
  Result Download(std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"download", "tiny", "--to", to_ / "got"};
    args.insert(args.end(), more.begin(), more.end());
    return Run(args);
  }
  void ExpectAll() {
    for (const auto& [name, text] : files_) EXPECT_EQ(ReadWhole(to_ / ("got/" + name)), text);
    EXPECT_FALSE(fs::exists(to_ / "got/model/weights.part"));
  }

  TempFolder to_;
  std::map<std::string, std::string> files_;
  std::vector<pb::ReadArtifactRequest> requests_;
  int break_after_ = -1;  // messages of data
  int corrupt_ = 0;       // so many answers
};

TEST_F(DownloadTest, FetchesEveryFileAndPrintsTheFolder) {
  const Result result = Download();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("downloaded 2 files, 293 KiB, to " + (to_ / "got")));
  EXPECT_EQ(result.err, "") << "no progress on a pipe";
  ExpectAll();
  EXPECT_EQ(Download({"-q"}).out, (to_ / "got") + "\n");
  EXPECT_THAT(Download({"--json"}).out, HasSubstr(ToHex(Sha256Of("{}"))));
}

TEST_F(DownloadTest, ABrokenStreamGoesOnAtItsOffset) {
  break_after_ = 2;
  EXPECT_EQ(Download().code, 0);
  ExpectAll();
  ASSERT_GE(requests_.size(), 3u);
  EXPECT_EQ(requests_[2].offset(), 100'000);
}

TEST_F(DownloadTest, ALaterRunGoesOnWhereOneStopped) {
  fs::create_directories(to_ / "got/model");
  WriteWhole(to_ / "got/model/weights.part", files_["model/weights"].substr(0, 123'456));
  EXPECT_EQ(Download().code, 0);
  ExpectAll();
  EXPECT_EQ(requests_[1].offset(), 123'456);
  requests_.clear();
  EXPECT_THAT(Download().out, HasSubstr("; 2 were there already"));
  for (size_t i = 1; i < requests_.size(); ++i) {
    EXPECT_EQ(requests_[i].offset(), static_cast<int64_t>(files_[requests_[i].file()].size()));
  }
}

TEST_F(DownloadTest, APartOfSomethingElseIsFetchedAnew) {
  fs::create_directories(to_ / "got/model");
  WriteWhole(to_ / "got/model/weights.part", std::string(1000, 'z'));
  WriteWhole(to_ / "got/run.json.part", "longer than the file");
  EXPECT_EQ(Download().code, 0);
  ExpectAll();
}

TEST_F(DownloadTest, WhatDoesNotMatchItsDigestTwiceIsAnErrorAndLeavesNoFile) {
  corrupt_ = 1;
  EXPECT_EQ(Download().code, 0);
  ExpectAll();
  fs::remove_all(to_ / "got");
  corrupt_ = 2;
  const Result result = Download();
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("not that of the file, twice"));
  EXPECT_FALSE(fs::exists(to_ / "got/model/weights"));
}

TEST_F(DownloadTest, AnotherFileThereIsNotTouched) {
  fs::create_directories(to_ / "got");
  WriteWhole(to_ / "got/run.json", "my own");
  const Result result = Download();
  EXPECT_EQ(result.code, 7);
  EXPECT_THAT(result.err, HasSubstr("run.json is another file already; hint: name another folder"));
  EXPECT_EQ(ReadWhole(to_ / "got/run.json"), "my own");
}

TEST_F(DownloadTest, NamesNeverLeadOutOfTheFolder) {
  for (const char* name : {"../escaped", "/tmp/fpo-escaped", "a/../../escaped", "a//b", "."}) {
    files_ = {{name, "x"}};
    const Result result = Download();
    EXPECT_EQ(result.code, 1) << name;
    EXPECT_THAT(result.err, HasSubstr("the list of files is refused")) << name;
  }
  EXPECT_FALSE(fs::exists(to_ / "escaped"));
  files_ = {{"link/f", "x"}, {"weights", "y"}};
  fs::create_directories(to_ / "got");
  fs::create_directories(to_ / "outside");
  WriteWhole(to_ / "outside/w", "mine");
  fs::create_directory_symlink(to_ / "outside", to_ / "got/link");
  EXPECT_NE(Download().code, 0);
  EXPECT_FALSE(fs::exists(to_ / "outside/f"));
  fs::remove(to_ / "got/link");
  fs::create_symlink(to_ / "outside/w", to_ / "got/weights.part");
  EXPECT_NE(Download().code, 0);
  EXPECT_EQ(ReadWhole(to_ / "outside/w"), "mine");
}

TEST_F(DownloadTest, BestAndLatestChooseACheckpoint) {
  const Result none = Download({"--best"});
  EXPECT_EQ(none.code, 4);
  EXPECT_THAT(none.err, HasSubstr("has no checkpoint; hint: fpoctl ckpt list j-1"));
  std::vector<pb::Checkpoint> checkpoints(3);
  for (int i = 0; i < 3; ++i) checkpoints[i].set_step(30 - 10 * i);
  coordinator_.SetCheckpoints(checkpoints);
  EXPECT_THAT(Download({"--best"}).err, HasSubstr("no checkpoint with a score"));
  checkpoints[1].set_score(0.25);
  checkpoints[2].set_score(0.5);
  coordinator_.SetCheckpoints(checkpoints);
  for (const auto& [option, step] :
       std::map<std::string, int64_t>{{"--best", 20}, {"--latest", 30}}) {
    requests_.clear();
    EXPECT_EQ(Download({option}).code, 0);
    EXPECT_EQ(requests_[0].step(), step) << option;
  }
}

TEST_F(DownloadTest, OnATerminalProgressIsDrawnAndCleared) {
  environment_.err_is_terminal = true;
  times_.redraw_min = absl::ZeroDuration();
  const Result result = Download();
  EXPECT_THAT(result.err, HasSubstr("model/weights"));
  EXPECT_THAT(result.err, HasSubstr("100 %"));
  EXPECT_THAT(result.err, ::testing::EndsWith("\r\x1b[K"));
}

TEST_F(DownloadTest, CtrlCLeavesThePartForTheNextRun) {
  coordinator_.SetArtifact([this](const pb::ReadArtifactRequest& request, Writer* writer) {
    if (request.file().empty()) return Answer(request, writer);
    pb::ReadArtifactResponse answer;
    answer.set_data(files_["model/weights"].substr(0, 1000));
    writer->Write(answer);
    interrupt_.Raise();
    return absl::UnavailableError("cut");
  });
  const Result result = Download();
  EXPECT_EQ(result.code, 130);
  EXPECT_FALSE(fs::exists(to_ / "got/model/weights"));
}

TEST_F(DownloadTest, TwoAtOnceDoNotMixTheirBytes) {
  fs::create_directories(to_ / "got");
  const OpenFolder folder = *OpenFolder::Open(to_ / "got");
  Result second;
  coordinator_.SetArtifact([&](const pb::ReadArtifactRequest& request, Writer* writer) {
    if (request.file() == "run.json" && second.code == -1) {
      second.code = 0;
      second = Run({"download", "tiny", "--to", to_ / "got"});
    }
    return Answer(request, writer);
  });
  files_ = {{"run.json", "{}"}};
  EXPECT_EQ(Download().code, 0);
  EXPECT_EQ(second.code, 7);
  EXPECT_THAT(second.err, HasSubstr("another download writes"));
}

TEST_F(DownloadTest, ExportWaitsForTheWorkerThatMakesTheFolder) {
  int asked = 0;
  coordinator_.SetArtifact([&](const pb::ReadArtifactRequest& request, Writer* writer) {
    EXPECT_TRUE(request.exported());
    EXPECT_EQ(request.step(), 4);
    if (++asked <= 2) {
      return WithErrorInfo(absl::FailedPreconditionError("exporting"),
                           {.reason = ErrorReason::kExporting});
    }
    return Answer(request, writer);
  });
  const Result result = Run({"export", "tiny", "--step", "4", "--to", to_ / "got"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "its worker is exporting the checkpoint of step 4\n");
  ExpectAll();
}

TEST_F(DownloadTest, ExportOfAFailedCheckpointSaysWhy) {
  coordinator_.SetArtifact([&](const pb::ReadArtifactRequest&, Writer*) {
    return absl::FailedPreconditionError("fpo-train export: exit code 3: no model folder");
  });
  const Result result = Run({"export", "tiny", "--step", "4", "--to", to_ / "got"});
  EXPECT_NE(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("no model folder"));
  EXPECT_FALSE(fs::exists(to_ / "got"));
}

}  // namespace
}  // namespace fpo::ctl
