#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "worker/trainer/train/event_sink.h"

namespace fpo::train {

// The same events for a person: on a terminal one line that is redrawn (bar, step, loss, accuracy,
// time left), on a pipe or file plain lines, progress at most once in `plain_interval`. Not
// thread-safe.
class ConsoleProgress final : public EventSink {
 public:
  struct Options {
    std::FILE* stream = stderr;    // not owned
    std::optional<bool> terminal;  // default: whether `stream` is one
    absl::Duration plain_interval = absl::Seconds(1);
  };
  explicit ConsoleProgress(Options options);
  ~ConsoleProgress() override;
  void Emit(TrainEvent event) override;

 private:
  void Line(const std::string& text);  // stays on the screen
  void Live(const std::string& text, bool last);
  std::string Bar(int64_t done, int64_t total) const;
  std::string TimeLeft(int64_t done, int64_t total);
  void OnStep(const TrainEvent& event);
  void OnProgress(const TrainEvent& event);

  std::FILE* stream_;
  bool terminal_;
  absl::Duration plain_interval_;
  bool drawn_ = false;
  absl::Time last_plain_ = absl::InfinitePast();
  std::string rate_phase_;  // the rate is of one phase
  int64_t first_done_ = 0;
  absl::Time first_time_ = absl::InfinitePast();
};

}  // namespace fpo::train
