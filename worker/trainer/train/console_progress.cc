#include "worker/trainer/train/console_progress.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace fpo::train {
namespace {

constexpr int64_t kBarCells = 24;

std::string Metric(const TrainEvent& event, const std::string& name, const char* label,
                   const char* unit = "") {
  const auto it = event.metrics.find(name);
  if (it == event.metrics.end()) return "";
  return absl::StrFormat("  %s %.4g%s", label, it->second, unit);
}

std::string Clock(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(duration), 0);
  if (seconds >= 3600) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::string Scores(const TrainEvent& event, const std::string& prefix) {
  return absl::StrCat(Metric(event, prefix + "loss", "loss"),
                      Metric(event, prefix + "rewards/accuracies", "acc"),
                      Metric(event, prefix + "rewards/margins", "margin"));
}

}  // namespace

ConsoleProgress::ConsoleProgress(Options options)
    : stream_(options.stream),
      terminal_(options.terminal.value_or(isatty(fileno(options.stream)) != 0)),
      plain_interval_(options.plain_interval) {}

ConsoleProgress::~ConsoleProgress() {
  if (drawn_) std::fputc('\n', stream_);
}

void ConsoleProgress::Line(const std::string& text) {
  if (drawn_) std::fputs("\r\x1b[K", stream_);
  drawn_ = false;
  std::fprintf(stream_, "%s\n", text.c_str());
  std::fflush(stream_);
}

void ConsoleProgress::Live(const std::string& text, bool last) {
  if (terminal_) {
    std::fprintf(stream_, "\r\x1b[K%s", text.c_str());
    std::fflush(stream_);
    drawn_ = true;
    return;
  }
  const absl::Time now = absl::Now();
  if (!last && now - last_plain_ < plain_interval_) return;
  last_plain_ = now;
  Line(text);
}

std::string ConsoleProgress::Bar(int64_t done, int64_t total) const {
  if (!terminal_ || total <= 0) return "";
  const int64_t cells = std::clamp<int64_t>(kBarCells * done / total, 0, kBarCells);
  return absl::StrCat("[", std::string(cells, '#'), std::string(kBarCells - cells, '.'), "]  ");
}

std::string ConsoleProgress::TimeLeft(int64_t done, int64_t total) {
  const absl::Time now = absl::Now();
  if (first_time_ == absl::InfinitePast()) {
    first_time_ = now;
    first_done_ = done;
    return "";
  }
  if (done <= first_done_ || total <= done) return "";
  const absl::Duration each = (now - first_time_) / (done - first_done_);
  return absl::StrCat("  ", Clock(each * (total - done)), " left");
}

void ConsoleProgress::OnStep(const TrainEvent& event) {
  Live(absl::StrCat("train  ", Bar(event.step, event.total), "step ", event.step, "/", event.total,
                    Scores(event, ""), Metric(event, "step_seconds", "time", " s"),
                    TimeLeft(event.step, event.total)),
       event.step == event.total);
}

void ConsoleProgress::OnProgress(const TrainEvent& event) {
  std::string rate;
  const absl::Duration spent = absl::Now() - first_time_;
  if (first_time_ != absl::InfinitePast() && event.done > first_done_ &&
      spent > absl::Milliseconds(50)) {
    rate = absl::StrFormat("  %.1f %s/s", (event.done - first_done_) / absl::ToDoubleSeconds(spent),
                           event.unit);
  }
  const std::string of = event.total > 0 ? absl::StrCat("/", event.total) : "";
  Live(absl::StrCat(event.phase, "  ", Bar(event.done, event.total), event.done, of, " ",
                    event.unit, rate, TimeLeft(event.done, event.total)),
       event.done == event.total);
}

void ConsoleProgress::Emit(TrainEvent event) {
  const std::string phase = event.kind == "step" ? "train" : event.phase;
  if ((event.kind == "step" || event.kind == "progress") && phase != rate_phase_) {
    rate_phase_ = phase;
    first_time_ = absl::InfinitePast();
  }
  if (event.kind == "step") {
    OnStep(event);
  } else if (event.kind == "progress") {
    OnProgress(event);
  } else if (event.kind == "phase") {
    if (!event.message.empty()) Line(event.message);
  } else if (event.kind == "evaluation") {
    Line(absl::StrCat("evaluation at step ", event.step, ":", Scores(event, "eval_")));
  } else if (event.kind == "checkpoint") {
    Line(absl::StrCat("checkpoint at step ", event.step, ": ", event.file));
  } else if (event.kind == "records") {
    Line(absl::StrCat(event.count, " records: ", event.file));
  } else if (event.kind == "warning" || event.kind == "checkpoint_bad") {
    Line(absl::StrCat("warning: ", event.message));
  } else if (event.kind == "error") {
    Line(absl::StrCat("fpo-train: ", event.message));
  } else if (event.kind == "result" && !event.file.empty()) {
    Line(absl::StrCat("done: ", event.file));
  }
}

}  // namespace fpo::train
