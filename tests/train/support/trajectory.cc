#include "tests/train/support/trajectory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/train/support/tiny_run.h"
#include "train/formats/safetensors.h"

namespace fpo::train {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A NaN is infinitely far, where std::max would pass over it.
double Largest(double a, double b) { return std::isnan(b) ? kInfinity : std::max(a, b); }

}  // namespace

void Trajectory::Add(const std::map<std::string, double>& line) {
  for (const char* name : {"loss", "grad_norm", "entropy", "logps/chosen", "logps/rejected",
                           "divergence/chosen", "divergence/rejected", "eval_loss"}) {
    const auto found = line.find(name);
    if (found != line.end()) metrics.push_back(found->second);
  }
}

Trajectory ReadTrajectory(const std::string& out) {
  Trajectory trajectory;
  for (const bool evaluations : {false, true}) {
    for (const MetricLine& line : ReadMetrics(out, evaluations)) trajectory.Add(line);
  }
  const auto file = SafetensorsFile::Open(out + "/model/model.safetensors");
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return trajectory;
  for (const auto& [name, entry] : (*file)->entries()) {
    trajectory.weights[name] = (*file)->Tensor(name)->clone();
  }
  return trajectory;
}

Distance Between(const Trajectory& a, const Trajectory& b) {
  if (a.metrics.size() != b.metrics.size() || a.weights.size() != b.weights.size()) {
    return {kInfinity, kInfinity};
  }
  Distance distance;
  for (size_t i = 0; i < a.metrics.size(); ++i) {
    const double difference = std::abs(a.metrics[i] - b.metrics[i]);
    distance.metrics = Largest(distance.metrics, difference / (1 + std::abs(b.metrics[i])));
  }
  for (const auto& [name, tensor] : a.weights) {
    const at::Tensor difference = tensor.to(at::kDouble) - b.weights.at(name).to(at::kDouble);
    distance.weights = Largest(distance.weights, difference.abs().max().item<double>());
  }
  return distance;
}

Distance Larger(const Distance& a, const Distance& b) {
  return {Largest(a.metrics, b.metrics), Largest(a.weights, b.weights)};
}

}  // namespace fpo::train
