#include "tests/ctl/sample_job.h"

namespace fpo::ctl {

namespace pb = fpo::v1;

pb::Job SampleMessage(const std::string& job_id, pb::JobState state) {
  pb::Job job;
  job.set_job_id(job_id);
  job.set_name("tiny-fpo");
  job.set_state(state);
  job.set_kind(pb::JOB_KIND_TRAIN);
  job.set_method("fpo");
  job.mutable_spec()->set_owner("ann");
  job.mutable_spec()->set_config_json(
      R"({"model":{"path":"/runs/sft/model"},"reference":{"source":"cached"},)"
      R"("output":"/runs/fpo"})");
  job.mutable_submitted()->set_seconds(kSampleStart);
  job.mutable_started()->set_seconds(kSampleStart + 2);
  pb::Attempt& attempt = *job.add_attempts();
  attempt.set_number(1);
  attempt.set_epoch(4);
  attempt.add_workers("w1");
  attempt.mutable_started()->set_seconds(kSampleStart + 2);
  pb::JobProgress& progress = *job.mutable_progress();
  progress.set_phase(pb::PHASE_TRAIN);
  progress.set_done(63);
  progress.set_total(120);
  progress.set_unit("steps");
  progress.set_step(63);
  progress.set_total_steps(120);
  (*progress.mutable_metrics())["loss"] = 0.63214;
  if (state == pb::JOB_STATE_SUCCEEDED || state == pb::JOB_STATE_FAILED ||
      state == pb::JOB_STATE_CANCELLED) {
    job.mutable_ended()->set_seconds(kSampleStart + 194);
    attempt.mutable_ended()->set_seconds(kSampleStart + 194);
    attempt.set_end_class(state == pb::JOB_STATE_SUCCEEDED ? pb::END_CLASS_DONE
                          : state == pb::JOB_STATE_FAILED  ? pb::END_CLASS_PROGRAM
                                                           : pb::END_CLASS_ASKED);
  }
  if (state == pb::JOB_STATE_SUCCEEDED) (*job.mutable_result())["eval_rewards/accuracies"] = 0.913;
  if (state == pb::JOB_STATE_FAILED) job.set_reason("program: loss is not finite at step 64");
  return job;
}

pb::Job SampleJob() {
  pb::Job job = SampleMessage("j-4f2a1c", pb::JOB_STATE_RUNNING);
  job.set_priority(500);
  SetNumbers({{"rewards/accuracies", 0.7134},
              {"rewards/margins", 0.1522},
              {"divergence/chosen", 0.0021},
              {"divergence/rejected", 0.0034},
              {"tokens", 6150},
              {"step_seconds", 0.5}},
             job.mutable_progress()->mutable_metrics());
  pb::CacheUse& cache = *job.mutable_progress()->mutable_cache();
  cache.set_records_total(2400);
  cache.set_records_hit(1200);
  cache.set_records_computed(4);
  cache.set_reference_seconds(3.5);
  return job;
}

void SetNumbers(const std::map<std::string, double>& numbers,
                google::protobuf::Map<std::string, double>* proto) {
  for (const auto& [name, value] : numbers) (*proto)[name] = value;
}

}  // namespace fpo::ctl
