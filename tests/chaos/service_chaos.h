#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"

namespace fpo::testing {

// How often to do something: the environment variable, or the quick tier's number.
int ChaosCount(const char* variable, int quick);

// One seeded source for a whole test; prints its seed, which FPO_TEST_SEED repeats. Thread-safe.
class ChaosRandom {
 public:
  ChaosRandom();
  int Below(int end);
  absl::Duration Between(absl::Duration low, absl::Duration high);

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

void Pause(absl::Duration time);
std::string Words(absl::Duration time);  // to a millisecond

// A user who does not give up: each call is made again until the coordinator answers.
class StubbornUser {
 public:
  // Of several addresses, with commas, it finds the one that answers.
  explicit StubbornUser(const std::string& addresses);

  fpo::v1::Coordinator::Stub& stub() { return *all_[current_].stub; }
  // A held job under this request id. Repeats after lost answers, always with the same id; a call
  // whose `deadline` is short may have been carried out. The id that was acknowledged.
  std::string Submit(const std::string& request_id, const std::string& config_json,
                     const std::function<absl::Duration()>& deadline);
  std::vector<fpo::v1::Job> AllJobs();
  fpo::v1::Job Get(const std::string& job_id);
  int64_t lost_answers() const { return lost_answers_; }

 private:
  template <typename Request, typename Response, typename Method>
  void CallUntilAnswered(Method method, const Request& request, Response* response,
                         const std::function<absl::Duration()>& deadline);

  struct One {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<fpo::v1::Coordinator::Stub> stub;
  };
  std::vector<One> all_;
  size_t current_ = 0;
  int64_t lost_answers_ = 0;
};

// A valid job whose name is its own, for workers with the label, "name=value", if one is given.
std::string ChaosJob(const std::string& name, const std::string& label = "");

// What must hold of every job whatever happened: attempts are numbered, epochs grow, what has ended
// says how, checkpoints belong to its attempts. One line per violation.
std::vector<std::string> CheckHistory(const std::vector<fpo::v1::Job>& jobs);

}  // namespace fpo::testing
