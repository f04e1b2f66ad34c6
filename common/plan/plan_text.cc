#include "common/plan/plan_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fpo {
namespace {

constexpr size_t kNameColumns = 28;

std::string Row(const std::string& indent, const std::string& name, const std::string& value) {
  const size_t used = indent.size() + name.size();
  const std::string gap(used < kNameColumns ? kNameColumns - used : 1, ' ');
  return absl::StrCat(indent, name, gap, absl::StrFormat("%10s", value));
}

const PhaseMemory* FullestPhase(const RunPlan& plan) {
  const PhaseMemory* fullest = nullptr;
  const auto size = [&](const PhaseMemory& phase) {
    return plan.device == "cuda" ? phase.device_bytes() : phase.host_bytes();
  };
  for (const PhaseMemory& phase : plan.memory) {
    if (fullest == nullptr || size(phase) > size(*fullest)) fullest = &phase;
  }
  return fullest;
}

std::string PlaceOf(const RunPlan& plan, const MemoryPart& part) {
  return plan.device != "cuda" ? "" : part.on_device ? "  device" : "  host";
}

std::string MemoryText(const RunPlan& plan) {
  std::string text = "memory\n";
  const PhaseMemory* const fullest = FullestPhase(plan);
  for (const PhaseMemory& phase : plan.memory) {
    std::string line = Row("  ", phase.phase, PlanBytes(phase.host_bytes()));
    if (plan.device == "cuda") {
      absl::StrAppend(&line, " host, ", PlanBytes(phase.device_bytes()), " device");
    }
    absl::StrAppend(&text, line, &phase == fullest ? "  the most" : "", "\n");
    if (&phase != fullest) continue;
    for (const MemoryPart& part : phase.parts) {
      absl::StrAppend(&text, Row("    ", part.name, PlanBytes(part.bytes)), PlaceOf(plan, part),
                      "\n");
    }
  }
  return text;
}

std::string TimeText(const RunPlan& plan) {
  std::string text = "time\n";
  for (const PhaseTime& time : plan.times) {
    absl::StrAppend(&text,
                    Row("  ", time.phase, time.known ? PlanSeconds(time.seconds) : "unknown"), "  ",
                    time.how, "\n");
  }
  return absl::StrCat(
      text, Row("  ", "in all", plan.TimeIsKnown() ? PlanSeconds(plan.Seconds()) : "unknown"),
      "\n");
}

int64_t SizeOf(const PlanChange& change, bool on_device) {
  return on_device ? change.device_bytes : change.host_bytes;
}

}  // namespace

std::string PlanBytes(int64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? absl::StrFormat("%.0f MiB", mib) : absl::StrFormat("%.1f GiB", mib / 1024);
}

std::string PlanSeconds(double seconds) {
  if (seconds < 9.95) return absl::StrFormat("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return absl::StrCat(whole, " s");
  if (whole < 3600) return absl::StrCat(whole / 60, " min ", whole % 60, " s");
  return absl::StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

std::string PlanTable(const RunPlan& plan) {
  std::string text = absl::StrFormat(
      "%.4g M parameters, %d training and %d evaluation pairs, %d steps of %d micro-batches in "
      "all\n",
      static_cast<double>(plan.parameters) / 1e6, plan.train_pairs, plan.eval_pairs, plan.steps,
      plan.micro_batches);
  if (plan.records > 0) {
    absl::StrAppend(&text, plan.records, " reference records, ", plan.records_present,
                    " of them in the run's folder\n");
  }
  absl::StrAppend(&text, MemoryText(plan), TimeText(plan));
  for (const std::string& note : plan.notes) absl::StrAppend(&text, "note: ", note, "\n");
  return text;
}

std::string PlanAdvice(const RunPlan& plan, bool on_device, int64_t room_bytes) {
  const int64_t needed = on_device ? DeviceBytes(plan.memory) : HostBytes(plan.memory);
  if (needed <= room_bytes) return "";
  std::string text = absl::StrCat("does not fit: needs ", PlanBytes(needed), ", there are ",
                                  PlanBytes(room_bytes), "\n");
  const bool any = std::any_of(plan.changes.begin(), plan.changes.end(), [&](const PlanChange& c) {
    return SizeOf(c, on_device) <= room_bytes;
  });
  absl::StrAppend(
      &text, any ? "any of these makes it fit, the least harmful first:\n"
             : plan.changes.empty()
                 ? "no setting lowers it: use a smaller model, or a host with more memory\n"
                 : "no single setting makes it fit; these lower it, the least harmful first:\n");
  for (const PlanChange& change : plan.changes) {
    if (any && SizeOf(change, on_device) > room_bytes) continue;
    absl::StrAppend(&text, "  --set ", change.setting, "  then ",
                    PlanBytes(SizeOf(change, on_device)), "  (", change.price, ")\n");
  }
  return text;
}

}  // namespace fpo
