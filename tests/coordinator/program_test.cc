// The real fpo-coordinator, killed in the middle of things.

#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/convert.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/temp_dir.h"
#include "tests/coordinator/rpc/test_user.h"
#include "tests/integration/process.h"

namespace fpo::coordinator {
namespace {

using testing::Process;

std::string Program() {
  const char* folder = std::getenv("FPO_BIN_DIR");
  return absl::StrCat(folder == nullptr ? "bin" : folder, "/fpo-coordinator");
}

class ProgramTest : public ::testing::Test {
 protected:
  void Start() {
    const std::string port_file = dir_.path() + "/port.json";
    std::filesystem::remove(port_file);
    process_ = std::make_unique<Process>(
        std::vector<std::string>{Program(), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                                 "--data", dir_.path() + "/data", "--port-file", port_file,
                                 "--beat", "200ms", "--lease", "3s", "--reattach", "5s"},
        std::vector<std::string>{}, dir_.path() + "/log");
    ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(port_file); })) << Log();
    std::ifstream in(port_file);
    address_ = nlohmann::json::parse(in)["grpc"];
    user_ = std::make_unique<TestUser>(address_);
  }
  void Kill() {
    process_->Signal(SIGKILL);
    EXPECT_EQ(process_->Wait(absl::Seconds(10)), 128 + SIGKILL);
  }
  std::string Log() {
    std::ifstream in(dir_.path() + "/log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TempDir dir_;
  std::unique_ptr<Process> process_;
  std::string address_;
  std::unique_ptr<TestUser> user_;
};

TEST_F(ProgramTest, EndsCleanlyOnSigterm) {
  Start();
  ScriptedWorker worker(&user_->worker(), HelloOf("w1"));
  worker.Await(pb::CoordinatorMessage::kWelcome);
  absl::Status end;
  std::thread reader([&] { end = worker.Finish(); });
  const absl::Time begin = absl::Now();
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(absl::Seconds(10)), 0) << Log();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4)) << "the grace time is for calls, not streams";
  reader.join();
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable);
}

TEST_F(ProgramTest, OutlivesWhoeverReadsItsLog) {
  const std::string log = dir_.path() + "/log";
  ASSERT_EQ(mkfifo(log.c_str(), 0600), 0);
  std::thread reader([&] {
    std::ifstream in(log);  // opens when the program opens the other end
    in.get();
  });
  Start();
  reader.join();
  for (int i = 0; i < 3; ++i) {  // each session is a line of the log
    ScriptedWorker worker(&user_->worker(), HelloOf("w1"));
    worker.Await(pb::CoordinatorMessage::kWelcome);
  }
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(absl::Seconds(10)), 0);
}

// Whatever the shell's umask is.
TEST_F(ProgramTest, NoOtherUserCanReadTheStore) {
  const mode_t before = umask(0);
  Start();
  user_->Submit("one");
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path() + "/data")) {
    struct stat of = {};
    if (lstat(entry.path().c_str(), &of) != 0) continue;  // RocksDB's own, gone again
    ++files;
    EXPECT_EQ(of.st_mode & 077, 0U) << entry.path();
  }
  EXPECT_GT(files, 3);
  umask(before);
}

TEST_F(ProgramTest, WrongUseIsToldAndEndsWithTwo) {
  const testing::Outcome outcome = testing::RunProgram({Program(), "--listen", "0.0.0.0:0"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("--insecure"), std::string::npos) << outcome.err;
  EXPECT_EQ(testing::RunProgram({Program(), "--version"}).code, 0);
}

TEST_F(ProgramTest, ASecondProcessOnTheSameDataIsRefused) {
  Start();
  const testing::Outcome outcome =
      testing::RunProgram({Program(), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data",
                           dir_.path() + "/data"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(dir_.path() + "/data"), std::string::npos) << outcome.err;
}

// Clients submit all the time; whatever was acknowledged before a kill is there after it, and a
// repeated request gives the job it gave before.
TEST_F(ProgramTest, AcknowledgedSubmitsSurviveKills) {
  absl::Mutex mutex;
  std::map<std::string, std::string> acknowledged;  // request -> job
  int next = 0;
  for (int round = 0; round < 5; ++round) {
    Start();
    std::atomic<bool> stop = false;
    std::vector<std::thread> clients;
    const size_t before = acknowledged.size();
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&] {
        TestUser user(address_);
        while (!stop) {
          std::string request;
          {
            absl::MutexLock lock(&mutex);
            request = absl::StrCat("r-", next++);
          }
          const auto id = user.TrySubmit("job-" + request, request);
          if (!id.ok()) return;
          absl::MutexLock lock(&mutex);
          acknowledged[request] = *id;
        }
      });
    }
    EXPECT_TRUE(Eventually([&] {
      absl::MutexLock lock(&mutex);
      return acknowledged.size() >= before + 20 + static_cast<size_t>(round) * 7;
    }));
    Kill();
    stop = true;
    for (std::thread& client : clients) client.join();
  }
  Start();
  for (const auto& [request, id] : acknowledged) {
    EXPECT_EQ(user_->Get(id).name(), "job-" + request);
    EXPECT_EQ(user_->Submit("job-" + request, request), id);
  }
}

TEST_F(ProgramTest, ARunningAttemptIsAdoptedAfterAKill) {
  Start();
  const std::string id = user_->Submit("tiny");
  auto worker = std::make_unique<ScriptedWorker>(&user_->worker(), HelloOf("w1"));
  const pb::AttemptRef ref = worker->Await(pb::CoordinatorMessage::kAssign).assign().attempt();
  worker->Report(ref, pb::AttemptReport::STATUS_RUNNING);
  worker->Event(ref, 1, CheckpointLine(40));
  worker->Log(ref, 1, {"one", "two"});
  worker->Await(pb::CoordinatorMessage::kAck);
  ASSERT_TRUE(user_->Reaches(id, pb::JOB_STATE_RUNNING));
  Kill();
  Start();
  EXPECT_EQ(user_->Get(id).state(), pb::JOB_STATE_RUNNING);
  worker = std::make_unique<ScriptedWorker>(&user_->worker(), HelloOf("w1", 1, {FromProto(ref)}));
  EXPECT_EQ(worker->Await(pb::CoordinatorMessage::kWelcome).welcome().adopt_size(), 1);
  worker->Log(ref, 1, {"one", "two", "three"});
  worker->Await(pb::CoordinatorMessage::kAck);
  worker->Report(ref, pb::AttemptReport::STATUS_SUCCEEDED);
  ASSERT_TRUE(user_->Reaches(id, pb::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(user_->Get(id).attempts_size(), 1);
  EXPECT_EQ(user_->Get(id).checkpoint_step(), 40);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(10));
  pb::LogsRequest request;
  request.set_job_id(id);
  auto stream = user_->stub().Logs(&context, request);
  std::vector<std::string> lines;
  pb::LogsResponse response;
  while (stream->Read(&response)) {
    for (const pb::LogLine& line : response.lines()) lines.push_back(line.text());
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST_F(ProgramTest, AnAttemptWhoseWorkerNeverComesBackIsQueuedAfterTheWindow) {
  Start();
  const std::string id = user_->Submit("tiny");
  auto worker = std::make_unique<ScriptedWorker>(&user_->worker(), HelloOf("w1"));
  worker->Report(worker->Await(pb::CoordinatorMessage::kAssign).assign().attempt(),
                 pb::AttemptReport::STATUS_RUNNING);
  ASSERT_TRUE(user_->Reaches(id, pb::JOB_STATE_RUNNING));
  Kill();
  Start();
  EXPECT_EQ(user_->Get(id).state(), pb::JOB_STATE_RUNNING);
  EXPECT_TRUE(user_->Reaches(id, pb::JOB_STATE_QUEUED));
  EXPECT_EQ(user_->Get(id).attempts(0).end_class(), pb::END_CLASS_INFRASTRUCTURE);
}

}  // namespace
}  // namespace fpo::coordinator
