#include "worker/core/errands.h"

#include <utility>

namespace fpo::worker {

Errands::~Errands() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Errands::Add(std::function<void()> errand) {
  absl::MutexLock lock(&mutex_);
  waiting_.push_back(std::move(errand));
}

void Errands::AwaitAll() {
  const auto idle = [this]()
                        ABSL_NO_THREAD_SAFETY_ANALYSIS { return waiting_.empty() && !running_; };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&idle));
}

void Errands::Loop() {
  for (;;) {
    std::function<void()> errand;
    {
      absl::MutexLock lock(&mutex_);
      running_ = false;
      mutex_.Await(absl::Condition(this, &Errands::HasNext));
      if (stopping_) return;
      errand = std::move(waiting_.front());
      waiting_.pop_front();
      running_ = true;
    }
    errand();
  }
}

}  // namespace fpo::worker
