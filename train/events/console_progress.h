#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// Shows the same events to a person: on a terminal one line that is redrawn (bar, step, loss,
// accuracy, time left), on a pipe or file plain lines: steps at most once per `plain_interval`,
// other progress when nothing was printed for that long. Not thread-safe.
class ConsoleProgress final : public EventSink {
 public:
  struct Options {
    std::FILE* stream = stderr;       // not owned
    std::optional<bool> terminal;     // default: whether `stream` is one
    std::optional<int> columns = {};  // of the terminal; default: what it reports; 0: unlimited
    absl::Duration plain_interval = absl::Seconds(1);
    std::function<absl::Time()> clock = [] { return absl::Now(); };
  };
  explicit ConsoleProgress(Options options);
  ~ConsoleProgress() override;
  void Emit(TrainEvent event) override;

 private:
  void Line(const std::string& text);  // stays on the screen
  void Redraw(const std::string& text);
  bool IsDue(absl::Time last) const { return clock_() - last >= plain_interval_; }
  std::string Bar(int64_t done, int64_t total) const;
  std::string TimeLeft(int64_t done, int64_t total);
  void OnStep(const TrainEvent& event);
  void OnProgress(const TrainEvent& event);

  std::FILE* stream_;
  bool terminal_;
  std::optional<int> columns_;
  absl::Duration plain_interval_;
  std::function<absl::Time()> clock_;
  bool drawn_ = false;
  absl::Time last_step_ = absl::InfinitePast();   // of the last plain line about a step
  absl::Time last_plain_ = absl::InfinitePast();  // of the last plain line about any progress
  std::string loss_text_;                         // of the last step
  std::string rate_of_;                           // the kind of work that the rate is of
  int64_t first_done_ = 0;
  absl::Time first_time_ = absl::InfinitePast();
};

}  // namespace fpo::train
