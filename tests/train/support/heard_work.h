#pragma once

#include <string>
#include <vector>

#include "common/observe/work.h"

namespace fpo::train {

// Every sign of work of this process while the object lives, as text.
class HeardWork final : public WorkListener {
 public:
  HeardWork() : before_(ListenToWork(this)) {}
  ~HeardWork() override { ListenToWork(before_); }
  void OnWork(const std::vector<WorkState>& pieces) override { texts_.push_back(WorkText(pieces)); }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  WorkListener* const before_;
  std::vector<std::string> texts_;
};

}  // namespace fpo::train
