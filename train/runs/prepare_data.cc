#include "train/runs/prepare_data.h"

#include "common/status_macros.h"
#include "train/data/admission_notes.h"

namespace fpo::train {

void EmitAdmission(const std::string& key, const AdmissionReport& report, EventSink& events) {
  events.Emit(PhaseEvent("prepare", AdmissionLine(key, report)));
  for (const std::string& sentence : AdmissionWarnings(key, report))
    events.Emit(WarningEvent(sentence));
}

absl::StatusOr<PrepareSummary> PrepareData(const JobConfig& job, const std::string& out,
                                           EventSink& events) {
  FPO_ASSIGN_OR_RETURN(PrepareSummary summary, Prepare(job, out));
  for (const std::string& sentence : summary.warnings) events.Emit(WarningEvent(sentence));
  for (const std::string& sentence : summary.notes) events.Emit(PhaseEvent("prepare", sentence));
  if (!job.data.train.empty()) EmitAdmission("data.train", summary.train, events);
  if (!job.data.eval.empty()) EmitAdmission("data.eval", summary.eval, events);
  for (const auto& [name, report] : summary.more_eval) {
    EmitAdmission("data.eval." + name, report, events);
  }
  return summary;
}

}  // namespace fpo::train
