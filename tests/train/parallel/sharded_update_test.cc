#include "train/parallel/sharded_update.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/thread_ranks.h"
#include "train/collective/single_process_group.h"
#include "train/parallel/sharded_state.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

NamedTensors Parameters(at::ScalarType dtype, uint64_t seed = 3) {
  at::Generator random = at::detail::createCPUGenerator(seed);
  NamedTensors parameters;
  for (const char* name : {"embed", "layers.0.a", "layers.0.b", "layers.1.a", "norm"}) {
    const auto rows = static_cast<int64_t>(parameters.size() + 2);
    parameters.emplace_back(
        name, at::randn({rows, 7}, random, at::kFloat).to(dtype).set_requires_grad(true));
  }
  return parameters;
}

// Gradients of a rank in a step.
void Compute(const NamedTensors& parameters, int64_t seed, ShardedUpdate* update) {
  at::Generator random = at::detail::createCPUGenerator(static_cast<uint64_t>(seed));
  for (const auto& [name, parameter] : parameters) {
    at::Tensor weight = parameter;
    weight.mutable_grad() = at::randn(parameter.sizes(), random, at::kFloat).to(parameter.dtype());
  }
  update->gradients().Collect([] {});
}

double TakeStep(const NamedTensors& parameters, ShardedUpdate* update, ProcessGroup& group,
                int64_t step) {
  update->BeginRound();
  Compute(parameters, 10 * step + group.rank(), update);
  if (update->sharding() != Sharding::kNone) {
    EXPECT_TRUE(update->EndRound(true).ok());
    EXPECT_TRUE(*update->AllFit(true));
  }
  const auto norm = update->SumGradients();
  EXPECT_TRUE(norm.ok()) << norm.status();
  const absl::Status stepped = update->Step(1e-2, 0.5);
  EXPECT_TRUE(stepped.ok()) << stepped;
  return norm.value_or(0);
}

struct UpdateCase {
  const char* optimizer;
  at::ScalarType dtype;
  int64_t world;
};

class ShardedUpdateTest : public ::testing::TestWithParam<UpdateCase> {
 protected:
  void SetUp() override {
    if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  }
  static std::unique_ptr<ShardedUpdate> Make(const NamedTensors& parameters, Sharding sharding,
                                             ProcessGroup& group) {
    auto update = ShardedUpdate::Create(parameters, {sharding, GetParam().optimizer, {}}, group);
    EXPECT_TRUE(update.ok()) << update.status();
    return *std::move(update);
  }
};

// Three steps of each sharding, on the same gradients, and what rank 0 would write.
TEST_P(ShardedUpdateTest, HasTheBitsOfTheWholeUpdate) {
  AsRanks(GetParam().world, [&](ProcessGroup& group) {
    const NamedTensors plain = Parameters(GetParam().dtype);
    const auto whole = Make(plain, Sharding::kNone, group);
    std::vector<double> norms;
    for (int64_t step = 0; step < 3; ++step)
      norms.push_back(TakeStep(plain, whole.get(), group, step));
    const auto expected = whole->Whole();
    for (const Sharding sharding : {Sharding::kOptimizer, Sharding::kGradients}) {
      const NamedTensors parameters = Parameters(GetParam().dtype);
      const auto update = Make(parameters, sharding, group);
      for (int64_t step = 0; step < 3; ++step) {
        EXPECT_NEAR(TakeStep(parameters, update.get(), group, step), norms[step], 1e-12);
      }
      for (size_t i = 0; i < plain.size(); ++i) {
        EXPECT_TRUE(at::equal(parameters[i].second, plain[i].second)) << plain[i].first;
      }
      const auto tensors = update->Whole();
      ASSERT_TRUE(tensors.ok()) << tensors.status();
      EXPECT_EQ(tensors->masters.empty(), group.rank() != 0) << "gathered on the first";
      if (group.rank() != 0) continue;
      ASSERT_EQ(tensors->masters.size(), expected->masters.size());
      ASSERT_EQ(tensors->state.size(), expected->state.size());
      for (const auto& [name, tensor] : expected->masters) {
        EXPECT_TRUE(at::equal(tensor, tensors->masters.at(name))) << name;
      }
      for (const auto& [name, tensor] : expected->state) {
        EXPECT_TRUE(at::equal(tensor, tensors->state.at(name))) << name;
      }
    }
  });
}

// A whole checkpoint goes on under every sharding; so do ranges.
TEST_P(ShardedUpdateTest, GoesOnFromAWholeState) {
  AsRanks(GetParam().world, [&](ProcessGroup& group) {
    const NamedTensors first = Parameters(GetParam().dtype);
    SingleProcessGroup alone_group;
    const auto alone = Make(first, Sharding::kNone, alone_group);
    TakeStep(first, alone.get(), alone_group, 0);
    const OptimizerTensors saved = *alone->Whole();
    std::vector<at::Tensor> results;
    for (const Sharding sharding : {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients}) {
      const NamedTensors parameters = Parameters(GetParam().dtype, 77);
      const auto update = Make(parameters, sharding, group);
      const absl::Status restored = update->Restore(saved.masters, saved.state);
      ASSERT_TRUE(restored.ok()) << restored;
      EXPECT_EQ(update->step(), 1);
      for (size_t i = 0; i < first.size(); ++i) {
        EXPECT_TRUE(at::equal(parameters[i].second, first[i].second)) << first[i].first;
      }
      TakeStep(parameters, update.get(), group, 1);
      results.push_back(parameters[1].second.detach());
      EXPECT_TRUE(at::equal(results.front(), results.back()));
    }
  });
}

TEST_P(ShardedUpdateTest, AWrongStateIsNamedAndChangesNothing) {
  AsRanks(GetParam().world, [&](ProcessGroup& group) {
    const NamedTensors parameters = Parameters(GetParam().dtype);
    const auto update = Make(parameters, Sharding::kOptimizer, group);
    SingleProcessGroup alone_group;
    const OptimizerTensors saved = *Make(parameters, Sharding::kNone, alone_group)->Whole();
    TensorMap lacking = saved.masters, turned = saved.masters;
    lacking.erase("layers.0.b");
    turned["norm"] = turned["norm"].t().contiguous();
    EXPECT_THAT(std::string(update->Restore(lacking, saved.state).message()),
                HasSubstr("\"layers.0.b\" is missing"));
    EXPECT_THAT(std::string(update->Restore(turned, saved.state).message()),
                HasSubstr("\"norm\" is Float [7, 6]; expected Float [6, 7]"));
    EXPECT_THAT(std::string(update->Restore(saved.masters, {}).message()),
                HasSubstr("optimizer state"));
    EXPECT_EQ(update->step(), 0);
  });
}

TEST_P(ShardedUpdateTest, KeepsItsShareOnly) {
  AsRanks(GetParam().world, [&](ProcessGroup& group) {
    const NamedTensors parameters = Parameters(GetParam().dtype);
    const auto update = Make(parameters, Sharding::kOptimizer, group);
    int64_t masters = 0, moments = 0;
    for (const TensorRange& range : update->Masters()) masters += range.values.numel();
    for (const TensorRange& range : update->Moments()) moments += range.values.numel();
    EXPECT_LE(masters, update->plan().RangeElements());
    EXPECT_EQ(moments, masters * (GetParam().optimizer == std::string("rmsprop") ? 1 : 2));
    std::vector<double> sum = {static_cast<double>(masters)};
    ASSERT_TRUE(group.Sum(&sum).ok());
    EXPECT_EQ(sum[0], 7 * (2 + 3 + 4 + 5 + 6));
  });
}

TEST_P(ShardedUpdateTest, MastersAreChangedOnAllRanks) {
  AsRanks(GetParam().world, [&](ProcessGroup& group) {
    for (const Sharding sharding : {Sharding::kNone, Sharding::kOptimizer}) {
      const NamedTensors parameters = Parameters(GetParam().dtype);
      const auto update = Make(parameters, sharding, group);
      const absl::Status changed = update->ChangeMasters([](const TensorRange& master) {
        const at::NoGradGuard no_grad;
        master.values.copy_(at::arange(master.begin, master.end).to(at::kFloat));
        return absl::OkStatus();
      });
      ASSERT_TRUE(changed.ok()) << changed;
      for (const auto& [name, parameter] : parameters) {
        const at::Tensor expected = at::arange(parameter.numel()).to(parameter.dtype());
        EXPECT_TRUE(at::equal(parameter.detach().view({-1}), expected)) << name;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ShardedUpdateTest,
    ::testing::Values(UpdateCase{"adam", at::kFloat, 2}, UpdateCase{"adam", at::kBFloat16, 4},
                      UpdateCase{"rmsprop", at::kFloat, 4}, UpdateCase{"adamw", at::kFloat, 3},
                      UpdateCase{"rmsprop", at::kBFloat16, 2}, UpdateCase{"adam", at::kFloat, 1}),
    [](const auto& one) {
      return std::string(one.param.optimizer) + "_" + at::toString(one.param.dtype) + "_" +
             std::to_string(one.param.world);
    });

}  // namespace
}  // namespace fpo::train
