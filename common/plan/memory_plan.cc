#include "common/plan/memory_plan.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/plan/shard_sizes.h"

namespace fpo {
namespace {

constexpr int64_t kMasterBytes = 4;  // of a float32

int64_t WeightBytes(const RunSizes& run) {
  return run.step.model.Parameters() * run.step.compute.element_bytes;
}
bool TrainsWeights(const RunSizes& run) {
  return !run.first_batches.empty() && !run.step.model.adapter.on();
}
int64_t TrainedBytes(const RunSizes& run) {  // in float32
  return run.first_batches.empty() ? 0 : run.step.model.TrainedParameters() * kMasterBytes;
}
// What training keeps on a rank; nothing of a run that does not train.
ShardedBytes StateOfRank(const RunSizes& run) {
  if (run.first_batches.empty()) return {};
  return BytesOfRank(run.step.model,
                     {run.shard, run.ranks, run.step.compute.element_bytes, run.optimizer_moments});
}
// Each rank copies and writes its part.
int64_t CheckpointBytes(const RunSizes& run) {
  return (1 + run.optimizer_moments) * TrainedBytes(run) / run.ranks;
}
int64_t EncoderBytes(const RunSizes& run, bool with_decoder) {
  int64_t bytes = 0;
  for (const SaeSizes& sae : run.step.saes) {
    if (!sae.has_arrays) continue;
    bytes += (sae.width + 2) * sae.features * kMasterBytes;
    if (with_decoder) bytes += (sae.features + 1) * sae.width * kMasterBytes;
  }
  return bytes;
}

MemoryUses Fullest(const std::vector<BatchSizes>& batches,
                   const std::function<MemoryUses(const BatchSizes&)>& peak) {
  MemoryUses fullest;
  for (const BatchSizes& batch : batches) {
    const MemoryUses uses = peak(batch);
    if (uses.Sum() > fullest.Sum()) fullest = uses;
  }
  return fullest;
}

// A phase is built up part by part; parts of no bytes are left out.
class PhaseParts {
 public:
  PhaseParts(std::string phase, const RunSizes& run) : run_(run) {
    phase_.phase = std::move(phase);
    OnHost("program and libraries", run.program_bytes);
    if (run.step.compute.on_device) OnDevice("driver and libraries", run.device_program_bytes);
    OnHost("token files", run.token_bytes);
  }

  void OnHost(const std::string& name, int64_t bytes) { Add({name, bytes, false}); }
  void OnDevice(const std::string& name, int64_t bytes) { Add({name, bytes, true}); }
  // On the device where there is one.
  void Computed(const std::string& name, int64_t bytes) {
    Add({name, bytes, run_.step.compute.on_device});
  }
  void Uses(const MemoryUses& uses) {
    Computed("gradients", uses[MemoryUse::kGradients]);
    Computed("activations", uses[MemoryUse::kActivations]);
    Computed("vocabulary head", uses[MemoryUse::kHead]);
    Computed("pooled features", uses[MemoryUse::kSae]);
    Computed("temporary values", uses[MemoryUse::kTemporary]);
  }
  PhaseMemory Take() { return std::move(phase_); }

 private:
  void Add(MemoryPart part) {
    if (part.bytes > 0) phase_.parts.push_back(std::move(part));
  }

  const RunSizes& run_;
  PhaseMemory phase_;
};

// Packed weights, and the largest of them as it is made dense for a product.
void AddPacked(const RunSizes& run, PhaseParts* parts) {
  const ModelSizes& model = run.step.model;
  const int64_t element = run.step.compute.element_bytes;
  const int64_t dense =
      (model.Parameters() - model.layers * model.ProjectionParameters()) * element;
  const bool mapped = !run.step.compute.on_device && run.same_type_bytes > 0;
  const auto share = static_cast<double>(dense) / static_cast<double>(WeightBytes(run));
  parts->Computed("weights", model.PackedBytes() + (mapped ? 0 : dense));
  parts->Computed("a weight, made dense",
                  model.hidden * std::max(model.feed_forward, model.queries()) * element);
  parts->OnHost("weights, mapped",
                static_cast<int64_t>(static_cast<double>(run.weight_file_bytes) * share));
}

// Weights that nothing trains stay mapped, and are copied where the file has another type.
void AddFrozen(const std::string& name, const RunSizes& run, PhaseParts* parts) {
  parts->Computed(name, WeightBytes(run) - (run.step.compute.on_device ? 0 : run.same_type_bytes));
  parts->OnHost(name + ", mapped", run.weight_file_bytes);
}

void AddWeights(const RunSizes& run, PhaseParts* parts) {
  if (TrainsWeights(run)) return parts->Computed("weights", WeightBytes(run));
  if (run.step.model.adapter.packed()) return AddPacked(run, parts);
  AddFrozen("weights", run, parts);
}

void AddReference(const RunSizes& run, PhaseParts* parts) {
  if (run.reference == ReferencePlace::kMemory) AddFrozen("reference model", run, parts);
  if (run.reference == ReferencePlace::kRecords) parts->OnHost("record file", run.record_bytes);
}

void AddTraining(const RunSizes& run, PhaseParts* parts) {
  AddWeights(run, parts);
  if (run.step.model.adapter.on()) parts->Computed("adapter", TrainedBytes(run));
  const ShardedBytes state = StateOfRank(run);
  parts->Computed("float32 masters", state.masters);
  parts->Computed("optimiser moments", state.moments);
  parts->Computed("gradients of this rank's ranges", state.gradient_sums);
}

PhaseMemory Load(const RunSizes& run) {
  PhaseParts parts("load", run);
  AddWeights(run, &parts);
  const int64_t sae = EncoderBytes(run, true) + run.sae_file_bytes;
  if (sae > run.weight_file_bytes || !TrainsWeights(run)) {
    parts.OnHost("SAE, and its file as it is read", sae);
  } else {
    parts.OnHost("weight files, mapped", run.weight_file_bytes);
  }
  return parts.Take();
}

PhaseMemory Reference(const RunSizes& run) {
  PhaseParts parts("reference", run);
  AddWeights(run, &parts);
  parts.Computed("SAE", EncoderBytes(run, true));
  parts.Uses(Fullest(run.scored_batches,
                     [&](const BatchSizes& batch) { return ScoringPeak(run.step, batch); }));
  parts.OnHost("records", run.record_bytes);
  return parts.Take();
}

// Whichever is fuller: the first micro-batch of a step or, with gradients there, a later one.
PhaseMemory Train(const RunSizes& run) {
  PhaseParts parts("train", run);
  AddTraining(run, &parts);
  AddReference(run, &parts);
  parts.Computed("SAE", EncoderBytes(run, false));
  MemoryUses uses = Fullest(run.first_batches, [&](const BatchSizes& batch) {
    return TrainingPeak(run.step, batch, false);
  });
  const MemoryUses later = Fullest(run.later_batches, [&](const BatchSizes& batch) {
    return TrainingPeak(run.step, batch, true);
  });
  if (later.Sum() > uses.Sum()) uses = later;
  const ShardedBytes state = StateOfRank(run);
  uses[MemoryUse::kGradients] = std::min(uses[MemoryUse::kGradients], state.gradients);
  // They leave while backward runs, or else when it is over.
  const bool leave = run.shard != "none";
  if (leave) uses[MemoryUse::kTemporary] += state.exchange;
  // Backward ends with all gradients that are kept, whatever the batch.
  MemoryUses after;
  after[MemoryUse::kGradients] = state.gradients;
  after[MemoryUse::kTemporary] = leave ? state.gather : state.exchange;
  if (after.Sum() > uses.Sum()) uses = after;
  parts.Uses(uses);
  if (run.copies_checkpoints) parts.OnHost("checkpoint being written", CheckpointBytes(run));
  return parts.Take();
}

PhaseMemory Evaluate(const RunSizes& run) {
  PhaseParts parts("evaluate", run);
  AddTraining(run, &parts);
  AddReference(run, &parts);
  parts.Computed("SAE", EncoderBytes(run, !run.checked_batches.empty()));
  std::vector<BatchSizes> batches = run.evaluated_batches;
  batches.insert(batches.end(), run.checked_batches.begin(), run.checked_batches.end());
  parts.Uses(
      Fullest(batches, [&](const BatchSizes& batch) { return ScoringPeak(run.step, batch); }));
  return parts.Take();
}

// The adapted weights once more, with the adapter, and on the way sums of the largest of them.
PhaseMemory Export(const RunSizes& run) {
  PhaseParts parts("export", run);
  const ModelSizes& model = run.step.model;
  AddTraining(run, &parts);
  AddReference(run, &parts);
  parts.Computed("SAE", EncoderBytes(run, false));
  const int64_t merged =
      model.adapter.packed() ? model.ProjectionParameters() : model.AdaptedParameters();
  parts.OnHost("merged weights", model.layers * merged * run.step.compute.element_bytes);
  parts.Computed("temporary values",
                 2 * model.hidden * std::max(model.feed_forward, model.queries()) * kMasterBytes);
  return parts.Take();
}

// The state of training is there until the process ends; codes are made, no logits.
PhaseMemory Features(const RunSizes& run) {
  PhaseParts parts("features", run);
  AddTraining(run, &parts);
  parts.Computed("reference model", WeightBytes(run));
  parts.OnHost("record file", run.record_bytes);
  parts.OnHost("exported model, being read", WeightBytes(run));
  parts.Computed("SAE", 2 * EncoderBytes(run, true));  // as loaded for training, and again
  parts.Uses(Fullest(run.evaluated_batches,
                     [&](const BatchSizes& batch) { return ScoringPeak(run.step, batch); }));
  return parts.Take();
}

int64_t Sum(const PhaseMemory& phase, bool on_device) {
  int64_t bytes = 0;
  for (const MemoryPart& part : phase.parts) bytes += part.on_device == on_device ? part.bytes : 0;
  return bytes;
}

}  // namespace

int64_t PhaseMemory::host_bytes() const { return Sum(*this, false); }
int64_t PhaseMemory::device_bytes() const { return Sum(*this, true); }

int64_t HostBytes(const std::vector<PhaseMemory>& phases) {
  int64_t most = 0;
  for (const PhaseMemory& phase : phases) most = std::max(most, phase.host_bytes());
  return most;
}

int64_t DeviceBytes(const std::vector<PhaseMemory>& phases) {
  int64_t most = 0;
  for (const PhaseMemory& phase : phases) most = std::max(most, phase.device_bytes());
  return most;
}

std::vector<PhaseMemory> PlanMemory(const RunSizes& run) {
  std::vector<PhaseMemory> phases = {Load(run)};
  if (run.scores_here) phases.push_back(Reference(run));
  if (!run.first_batches.empty()) phases.push_back(Train(run));
  if (!run.evaluated_batches.empty() || !run.checked_batches.empty()) {
    phases.push_back(Evaluate(run));
  }
  if (TrainedBytes(run) > 0 && run.step.model.adapter.on()) phases.push_back(Export(run));
  if (run.compares_features) phases.push_back(Features(run));
  return phases;
}

}  // namespace fpo
