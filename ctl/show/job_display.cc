#include "ctl/show/job_display.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/wire/enums.h"
#include "common/wire/wire_time.h"
#include "ctl/show/human.h"
#include "ctl/show/job_facts.h"

namespace fpo::ctl {
namespace {

void AddProgress(const fpo::v1::Job& job, absl::Time now, ProgressRate* rate) {
  const fpo::v1::JobProgress& p = job.progress();
  rate->Add(absl::StrCat(AttemptNumber(job), "/", TextOf(p.phase()), "/", p.unit()), p.done(),
            p.has_updated() ? TimeOf(p.updated()) : now);
}

}  // namespace

void BlockDisplay::Show(const fpo::v1::Job& job, absl::Time now) {
  AddProgress(job, now, &rate_);
  job_ = job;
  shown_ = true;
  pending_ = true;
  DrawIfDue(now);
}

void BlockDisplay::Note(const std::string& note, absl::Time now) {
  if (note == note_) return;
  note_ = note;
  pending_ = true;
  DrawIfDue(now);
}

absl::Time BlockDisplay::NextTick() const {
  if (!shown_) return absl::InfiniteFuture();
  return drawn_at_ + (pending_ ? redraw_min_ : std::max(redraw_min_, absl::Seconds(1)));
}

void BlockDisplay::Tick(absl::Time now) { DrawIfDue(now); }

void BlockDisplay::Finish(absl::Time now) {
  note_.clear();
  if (shown_) Draw(now);
}

void BlockDisplay::DrawIfDue(absl::Time now) {
  if (shown_ && now - drawn_at_ >= redraw_min_) Draw(now);
}

void BlockDisplay::Draw(absl::Time now) {
  pending_ = false;
  drawn_at_ = now;
  const std::string block = RenderWatchBlock(job_, {now, rate_.PerSecond(), note_}, style_);
  if (block == drawn_) return;
  const auto lines = std::count(drawn_.begin(), drawn_.end(), '\n');
  // Up to the block's first line, then clear from there.
  if (lines > 0) out_ << "\x1b[" << lines << "A\r\x1b[J";
  out_ << block << std::flush;
  drawn_ = block;
}

void LineDisplay::Show(const fpo::v1::Job& job, absl::Time now) {
  AddProgress(job, now, &rate_);
  const std::string stage = absl::StrCat(TextOf(job.state()), "|", TextOf(job.progress().phase()),
                                         "|", AttemptNumber(job), "|", job.reason());
  const std::string line = RenderWatchLine(job, {now, rate_.PerSecond(), ""});
  const bool changed = stage != stage_;
  if (!changed && (now - printed_at_ < line_min_ || line == last_line_)) return;
  stage_ = stage;
  last_line_ = line;
  printed_at_ = now;
  out_ << LocalTime(now, zone_) << " " << line << std::flush;
}

void LineDisplay::Note(const std::string& note, absl::Time now) {
  // The same trouble with other numbers is not reported again.
  const bool news = note.empty() != note_.empty();
  note_ = note;
  if (!news) return;
  out_ << LocalTime(now, zone_) << " " << (note.empty() ? "connected again" : note) << "\n"
       << std::flush;
}

std::unique_ptr<JobDisplay> MakeDisplay(Session& session) {
  if (session.settings().json || session.settings().quiet) {
    return std::make_unique<SilentDisplay>();
  }
  if (session.environment.out_is_terminal) {
    return std::make_unique<BlockDisplay>(session.out, session.style(), session.times.redraw_min);
  }
  return std::make_unique<LineDisplay>(session.out, session.style().zone, session.times.line_min);
}

}  // namespace fpo::ctl
