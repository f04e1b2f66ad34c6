#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "ctl/rpc/session.h"
#include "ctl/show/progress_rate.h"
#include "ctl/show/render.h"

namespace fpo::ctl {

// How a followed job is shown while it runs. Time comes from the caller. Not thread-safe.
class JobDisplay {
 public:
  virtual ~JobDisplay() = default;

  virtual void Show(const fpo::v1::Job& job, absl::Time now) = 0;
  // The state of the connection ("connection lost ..."); empty: connected again.
  virtual void Note(const std::string& note, absl::Time now) = 0;
  // When Tick should be called next; InfiniteFuture: not at all.
  virtual absl::Time NextTick() const { return absl::InfiniteFuture(); }
  virtual void Tick(absl::Time) {}
  // Called last; leaves the last state on the screen.
  virtual void Finish(absl::Time) {}
};

// One block, drawn again in place when it changes, never within `redraw_min` of the last time; the
// clock in it ticks each second.
class BlockDisplay final : public JobDisplay {
 public:
  BlockDisplay(std::ostream& out, TextStyle style, absl::Duration redraw_min)
      : out_(out), style_(style), redraw_min_(redraw_min) {}

  void Show(const fpo::v1::Job& job, absl::Time now) override;
  void Note(const std::string& note, absl::Time now) override;
  absl::Time NextTick() const override;
  void Tick(absl::Time now) override;
  void Finish(absl::Time now) override;

 private:
  void DrawIfDue(absl::Time now);
  void Draw(absl::Time now);

  std::ostream& out_;
  const TextStyle style_;
  const absl::Duration redraw_min_;
  fpo::v1::Job job_;
  std::string note_;
  ProgressRate rate_;
  std::string drawn_;  // the block on the screen
  absl::Time drawn_at_ = absl::InfinitePast();
  bool shown_ = false;
  bool pending_ = false;
};

// Plain lines: one per change of state or phase, else at most one per `line_min`.
class LineDisplay final : public JobDisplay {
 public:
  LineDisplay(std::ostream& out, absl::TimeZone zone, absl::Duration line_min)
      : out_(out), zone_(zone), line_min_(line_min) {}

  void Show(const fpo::v1::Job& job, absl::Time now) override;
  void Note(const std::string& note, absl::Time now) override;

 private:
  std::ostream& out_;
  const absl::TimeZone zone_;
  const absl::Duration line_min_;
  ProgressRate rate_;
  std::string stage_;  // state, phase, attempt and reason last printed
  std::string last_line_;
  std::string note_;
  absl::Time printed_at_ = absl::InfinitePast();
};

// Shows nothing (-q, --json).
class SilentDisplay final : public JobDisplay {
 public:
  void Show(const fpo::v1::Job&, absl::Time) override {}
  void Note(const std::string&, absl::Time) override {}
};

// The display that fits the session's output.
std::unique_ptr<JobDisplay> MakeDisplay(Session& session);

}  // namespace fpo::ctl
