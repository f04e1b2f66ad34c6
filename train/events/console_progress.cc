#include "train/events/console_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/observe/work.h"

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

int ColumnsOf(std::FILE* terminal) {
  winsize size{};
  return ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// "63/120 steps"; bytes as "0.2/1.0 GiB".
std::string AmountText(const TrainEvent& event) {
  if (event.unit.empty() && event.total <= 0) return "";
  if (event.unit == "bytes") return WorkText({{"", "", event.done, event.total, event.unit}});
  const std::string of = event.total > 0 ? absl::StrCat("/", event.total) : "";
  return absl::StrCat(event.done, of, " ", event.unit);
}

std::string RateText(double each, const std::string& unit) {
  if (unit == "bytes") return absl::StrFormat("%.1f MiB/s", each / (1 << 20));
  return absl::StrFormat("%.1f %s/s", each, unit);
}

}  // namespace

ConsoleProgress::ConsoleProgress(Options options)
    : stream_(options.stream),
      terminal_(options.terminal.value_or(isatty(fileno(options.stream)) != 0)),
      columns_(options.columns),
      plain_interval_(options.plain_interval),
      clock_(std::move(options.clock)) {}

ConsoleProgress::~ConsoleProgress() {
  if (drawn_) std::fputc('\n', stream_);
}

void ConsoleProgress::Line(const std::string& text) {
  if (drawn_) std::fputs("\r\x1b[K", stream_);
  drawn_ = false;
  std::fprintf(stream_, "%s\n", text.c_str());
  std::fflush(stream_);
}

void ConsoleProgress::Redraw(const std::string& text) {
  // A line that wraps could not be overwritten.
  size_t bytes = text.size();
  const int columns = columns_ ? *columns_ : ColumnsOf(stream_);
  if (columns > 1) bytes = std::min(bytes, static_cast<size_t>(columns) - 1);
  while (bytes < text.size() && bytes > 0 && (text[bytes] & 0xC0) == 0x80) --bytes;
  std::fprintf(stream_, "\r\x1b[K%s", text.substr(0, bytes).c_str());
  std::fflush(stream_);
  drawn_ = true;
}

std::string ConsoleProgress::Bar(int64_t done, int64_t total) const {
  if (!terminal_ || total <= 0) return "";
  const int64_t cells = std::clamp<int64_t>(kBarCells * done / total, 0, kBarCells);
  return absl::StrCat("[", std::string(cells, '#'), std::string(kBarCells - cells, '.'), "]  ");
}

std::string ConsoleProgress::TimeLeft(int64_t done, int64_t total) {
  const absl::Time now = clock_();
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
  loss_text_ = Metric(event, "loss", "loss");
  const std::string text =
      absl::StrCat("train  ", Bar(event.step, event.total), "step ", event.step, "/", event.total,
                   Scores(event, ""), Metric(event, "step_seconds", "time", " s"),
                   TimeLeft(event.step, event.total));
  if (terminal_) return Redraw(text);
  if (event.step != event.total && !IsDue(last_step_)) return;
  last_step_ = last_plain_ = clock_();
  Line(text);
}

void ConsoleProgress::OnProgress(const TrainEvent& event) {
  std::string rate;
  const absl::Duration spent = clock_() - first_time_;
  if (first_time_ != absl::InfinitePast() && event.done > first_done_ &&
      spent > absl::Milliseconds(50)) {
    const double each = (event.done - first_done_) / absl::ToDoubleSeconds(spent);
    rate = absl::StrCat("  ", RateText(each, event.unit));
  }
  // Work before the first step, such as collecting an SAE's activations, says nothing about the
  // speed of steps.
  const bool first_step = event.unit == "steps" && event.done == 0;
  const std::string left = first_step ? "" : TimeLeft(event.done, event.total);
  std::string text =
      absl::StrCat(event.phase, "  ", Bar(event.done, event.total), AmountText(event), rate, left);
  // Within a step the last step's numbers stay visible, without the bar, which has not moved.
  if (event.unit == "steps") text = absl::StrCat(event.phase, "  ", AmountText(event), loss_text_);
  if (!event.activity.empty()) absl::StrAppend(&text, "  ", event.activity);
  if (terminal_) return Redraw(text);
  if (!IsDue(last_plain_)) return;
  last_plain_ = clock_();
  Line(text);
}

void ConsoleProgress::Emit(TrainEvent event) {
  const bool step = event.kind == EventKind::kStep;
  if (step || event.kind == EventKind::kProgress) {
    const std::string of = step || event.unit == "steps"
                               ? "steps"
                               : absl::StrCat(event.phase, " ", event.unit, " ", event.total);
    if (std::exchange(rate_of_, of) != of) first_time_ = absl::InfinitePast();
  }
  if (event.kind == EventKind::kStep) {
    OnStep(event);
  } else if (event.kind == EventKind::kProgress) {
    OnProgress(event);
  } else if (event.kind == EventKind::kPhase) {
    if (!event.message.empty()) Line(event.message);
  } else if (event.kind == EventKind::kEvaluation) {
    Line(absl::StrCat("evaluation at step ", event.step, ":", Scores(event, "eval_")));
  } else if (event.kind == EventKind::kCheckpoint) {
    Line(absl::StrCat("checkpoint at step ", event.step, ": ", event.file));
  } else if (event.kind == EventKind::kRecords) {
    Line(absl::StrCat(event.count, " records: ", event.file));
  } else if (event.kind == EventKind::kWarning || event.kind == EventKind::kCheckpointBad) {
    Line(absl::StrCat("warning: ", event.message));
  } else if (event.kind == EventKind::kError) {
    Line(absl::StrCat("fpo-train: ", event.message));
  } else if (event.kind == EventKind::kResult && !event.file.empty()) {
    Line(absl::StrCat("done: ", event.file));
  }
}

}  // namespace fpo::train
