#include "common/observe/work.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"

namespace fpo {
namespace {

// The work in progress in this process.
struct Desk {
  absl::Mutex mutex;
  WorkListener* listener ABSL_GUARDED_BY(mutex) = nullptr;
  std::vector<WorkState> pieces ABSL_GUARDED_BY(mutex);

  // Calls the listener under the lock: it gets one update at a time, in order.
  void Tell() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (listener != nullptr && !pieces.empty()) listener->OnWork(pieces);
  }
};

Desk& TheDesk() {
  static Desk* const desk = new Desk;
  return *desk;
}

// The two numbers in one unit, that of the larger.
std::string BytesText(const WorkState& state) {
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  double scale = 1024;
  size_t unit = 0;
  const double largest = static_cast<double>(std::max(state.done, state.total));
  for (; unit + 1 < kUnits.size() && largest >= 1024 * scale; ++unit) scale *= 1024;
  const std::string of =
      state.total > 0 ? absl::StrFormat(" of %.1f", static_cast<double>(state.total) / scale) : "";
  return absl::StrFormat("%.1f%s %s", static_cast<double>(state.done) / scale, of, kUnits[unit]);
}

std::string PieceText(const WorkState& state) {
  const bool counts = state.total > 0 || state.done > 0;
  if (!counts) return state.what;
  const std::string of = state.total > 0 ? absl::StrCat(" of ", state.total) : "";
  const std::string numbers =
      state.unit == "bytes"
          ? BytesText(state)
          : absl::StrCat(state.done, of, state.unit.empty() ? "" : " ", state.unit);
  return state.what.empty() ? numbers : absl::StrCat(state.what, ": ", numbers);
}

// Of a thread that works beside the others.
thread_local std::atomic<int64_t>* background_done = nullptr;

size_t Begin(WorkState state) {
  if (background_done != nullptr) return 0;
  Desk& desk = TheDesk();
  absl::MutexLock lock(&desk.mutex);
  desk.pieces.push_back(std::move(state));
  return desk.pieces.size() - 1;
}

// Changes a piece in progress; `tells` when that means work was done.
template <typename Change>
void ChangePiece(size_t depth, bool tells, const Change& change) {
  if (background_done != nullptr) {
    ++*background_done;
    return;
  }
  Desk& desk = TheDesk();
  absl::MutexLock lock(&desk.mutex);
  if (depth >= desk.pieces.size()) return;
  change(&desk.pieces[depth]);
  if (tells) desk.Tell();
}

}  // namespace

WorkListener* ListenToWork(WorkListener* listener) {
  Desk& desk = TheDesk();
  absl::MutexLock lock(&desk.mutex);
  return std::exchange(desk.listener, listener);
}

Work::Work(std::string what, int64_t total, std::string unit)
    : Work(WorkState{"", std::move(what), 0, total, std::move(unit)}) {}

// Beginning is not progress, so the listener is not called.
Work::Work(WorkState state) : depth_(Begin(std::move(state))) {}

Work::~Work() {
  if (background_done != nullptr) return;
  Desk& desk = TheDesk();
  absl::MutexLock lock(&desk.mutex);
  desk.pieces.resize(std::min(depth_, desk.pieces.size()));
}

void Work::Advance(int64_t amount) {
  ChangePiece(depth_, true, [&](WorkState* state) { state->done += amount; });
}

void Work::SetDone(int64_t done) {
  ChangePiece(depth_, true, [&](WorkState* state) { state->done = done; });
}

void Work::SetWhat(std::string what) {
  ChangePiece(depth_, false, [&](WorkState* state) { state->what = std::move(what); });
}

BackgroundWork::BackgroundWork(std::atomic<int64_t>* done) { background_done = done; }
BackgroundWork::~BackgroundWork() { background_done = nullptr; }

void AdvanceWork(int64_t amount) {
  if (background_done != nullptr) {
    ++*background_done;
    return;
  }
  Desk& desk = TheDesk();
  absl::MutexLock lock(&desk.mutex);
  if (desk.pieces.empty()) return;
  desk.pieces.back().done += amount;
  desk.Tell();
}

void SetWorkDone(int64_t done) {
  if (background_done != nullptr) {
    ++*background_done;
    return;
  }
  Desk& desk = TheDesk();
  absl::MutexLock lock(&desk.mutex);
  if (desk.pieces.empty()) return;
  desk.pieces.back().done = done;
  desk.Tell();
}

std::string WorkText(const std::vector<WorkState>& pieces, size_t first) {
  std::vector<std::string> parts;
  for (size_t i = first; i < pieces.size(); ++i) {
    std::string part = PieceText(pieces[i]);
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace fpo
