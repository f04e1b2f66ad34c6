#include "train/optim/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

NamedTensors Parameters(at::ScalarType type) {
  at::manual_seed(7);
  return {{"a", at::randn({4, 3}).to(type)}, {"b", at::randn({5}).to(type)}};
}

std::vector<at::Tensor> Gradients(int64_t seed) {
  at::manual_seed(static_cast<uint64_t>(seed));
  return {at::randn({4, 3}), at::randn({5})};
}

TensorMap Copy(const NamedTensors& tensors) {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.clone();
  return copies;
}

class OptimizerTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Optimizer> Make(const NamedTensors& parameters) {
    return *MakeOptimizer(GetParam(), parameters, {});
  }
};

TEST_P(OptimizerTest, ResumesToTheSameBits) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const NamedTensors parameters = Parameters(type);
    const auto straight = Make(parameters);
    for (int64_t step = 0; step < 3; ++step) straight->Step(Gradients(step), 1e-2);
    const TensorMap masters = Copy(straight->Masters()), state = Copy(straight->State());
    for (int64_t step = 3; step < 6; ++step) straight->Step(Gradients(step), 1e-2);

    const NamedTensors fresh = Parameters(type);
    const auto resumed = Make(fresh);
    ASSERT_TRUE(resumed->Restore(masters, state).ok());
    EXPECT_EQ(resumed->step(), 3);
    for (int64_t step = 3; step < 6; ++step) resumed->Step(Gradients(step), 1e-2);
    for (size_t i = 0; i < fresh.size(); ++i) {
      EXPECT_TRUE(at::equal(fresh[i].second, parameters[i].second)) << fresh[i].first;
    }
    const TensorMap ends = Copy(straight->State());
    for (const auto& [name, tensor] : resumed->State()) {
      EXPECT_TRUE(at::equal(tensor, ends.at(name))) << name;
    }
  }
}

TEST_P(OptimizerTest, SmallStepsAddUpUnderBfloat16) {
  // One step moves the parameter by less than half a bfloat16 unit; a hundred must not be lost.
  const NamedTensors parameters = {{"x", at::ones({1}, at::kBFloat16)}};
  const auto optimizer = Make(parameters);
  for (int i = 0; i < 100; ++i) optimizer->Step({at::ones({1})}, 1e-4);
  EXPECT_LT(parameters[0].second.item<float>(), 0.995f);
  EXPECT_EQ(optimizer->Masters()[0].second.scalar_type(), at::kFloat);
}

// A change smaller than a unit of bfloat16 stays in the master, and parameters are rounded from it.
TEST_P(OptimizerTest, ChangedMastersAreRoundedToTheParameters) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const NamedTensors parameters = {{"x", at::ones({2}, type)}, {"y", at::ones({1}, type)}};
    const auto optimizer = Make(parameters);
    const auto change = [&](double factor) {
      return optimizer->ChangeMasters([&](const std::string& name, const at::Tensor& master) {
        if (name == "x") master.mul_(factor);
        return absl::OkStatus();
      });
    };
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(change(1.001).ok());
    EXPECT_NEAR(parameters[0].second[1].item<float>(), std::pow(1.001, 100), 0.004);
    EXPECT_EQ(parameters[1].second.item<float>(), 1);
    const auto refuse = [](const std::string&, const at::Tensor&) {
      return absl::InternalError("no");
    };
    EXPECT_FALSE(optimizer->ChangeMasters(refuse).ok());
  }
}

TEST_P(OptimizerTest, WideParametersAreTheirOwnMasters) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const NamedTensors parameters = Parameters(type);
    const auto optimizer = Make(parameters);
    EXPECT_EQ(optimizer->Masters()[0].second.data_ptr(), parameters[0].second.data_ptr());
  }
}

// A step of 1e-10 is less than half a float32 unit of 1.
TEST_P(OptimizerTest, Float64ParametersMoveInFloat64) {
  const NamedTensors parameters = {{"x", at::ones({1}, at::kDouble)}};
  const auto optimizer = Make(parameters);
  optimizer->Step({at::ones({1}, at::kDouble)}, 1e-10);
  EXPECT_LT(parameters[0].second.item<double>(), 1);
  for (const auto& [name, tensor] : optimizer->State()) {
    EXPECT_EQ(tensor.scalar_type(), name == "step" ? at::kLong : at::kDouble) << name;
  }
}

TEST_P(OptimizerTest, WorksOnParametersThatRequireGradients) {
  const at::Tensor x = at::ones({2}).set_requires_grad(true);
  const auto optimizer = Make({{"x", x}});
  optimizer->Step({at::ones({2})}, 0.1);
  EXPECT_LT(x[0].item<float>(), 1.0f);
  EXPECT_TRUE(x.requires_grad());
  EXPECT_TRUE(x.is_leaf());
}

TEST_P(OptimizerTest, RestoreNamesWhatIsWrongAndChangesNothing) {
  const NamedTensors parameters = Parameters(at::kFloat);
  const auto optimizer = Make(parameters);
  optimizer->Step(Gradients(0), 1e-2);
  const TensorMap masters = Copy(optimizer->Masters()), state = Copy(optimizer->State());
  optimizer->Step(Gradients(1), 1e-2);
  const TensorMap now = Copy(parameters);

  TensorMap broken = masters;
  broken.erase("b");
  EXPECT_NE(optimizer->Restore(broken, state).message().find("\"b\" is missing"),
            std::string::npos);
  broken["b"] = at::zeros({6});
  EXPECT_NE(optimizer->Restore(broken, state).message().find("[6]"), std::string::npos);
  broken["b"] = at::zeros({5}, at::kDouble);
  EXPECT_NE(optimizer->Restore(broken, state).message().find("Double [5]; expected Float [5]"),
            std::string::npos);
  TensorMap no_step = state;
  no_step.erase("step");
  EXPECT_FALSE(optimizer->Restore(masters, no_step).ok());
  EXPECT_EQ(optimizer->step(), 2);
  for (const auto& [name, tensor] : parameters) EXPECT_TRUE(at::equal(tensor, now.at(name)));
}

TEST_P(OptimizerTest, RefusesAGradientOfAnotherShapeOrDtype) {
  const auto optimizer = Make(Parameters(at::kFloat));
  EXPECT_THROW(optimizer->Step({at::zeros({4, 3})}, 1e-2), c10::Error);
  EXPECT_THROW(optimizer->Step({at::zeros({4, 3}), at::zeros({4})}, 1e-2), c10::Error);
  EXPECT_THROW(optimizer->Step({at::zeros({4, 3}), at::zeros({5}, at::kDouble)}, 1e-2), c10::Error);
  EXPECT_EQ(optimizer->step(), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, OptimizerTest, ::testing::Values("adam", "adamw", "rmsprop"));

TEST(MakeOptimizer, NamesWhatIsAllowed) {
  const auto made = MakeOptimizer("sgd", Parameters(at::kFloat), {});
  EXPECT_NE(made.status().message().find("adam, adamw and rmsprop"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
