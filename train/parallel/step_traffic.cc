#include "train/parallel/step_traffic.h"

namespace fpo::train {

std::map<std::string, double> StepTraffic::Metrics() const {
  return {{"sent_gradient_bytes", static_cast<double>(gradients)},
          {"sent_weight_bytes", static_cast<double>(weights)},
          {"sent_metric_bytes", static_cast<double>(metrics)}};
}

StepTraffic TrafficOfStep(const ShardPlan& plan, const TrafficInputs& inputs) {
  const int64_t others = plan.world() - 1, given = others * plan.RangeElements();
  StepTraffic traffic;
  traffic.metrics = others * inputs.summed_values * static_cast<int64_t>(sizeof(double));
  switch (inputs.sharding) {
    case Sharding::kNone:
      traffic.gradients = 2 * given * inputs.gradient_bytes;
      return traffic;
    case Sharding::kOptimizer:
      traffic.gradients = given * inputs.gradient_bytes;
      break;
    case Sharding::kGradients:
      traffic.gradients = inputs.rounds * given * inputs.gradient_bytes;
      break;
  }
  traffic.weights = given * inputs.weight_bytes;
  return traffic;
}

}  // namespace fpo::train
