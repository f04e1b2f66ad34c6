#include "train/export/export_policy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/loop/model_loader.h"

namespace fpo::train {
namespace {

TensorMap TensorsOf(const LoadedModel& loaded) {
  return {loaded.model.Parameters().begin(), loaded.model.Parameters().end()};
}

TEST(ExportPolicy, ComesBackAsTheSameModel) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32", at::kCPU, true});
  ASSERT_TRUE(model.ok());
  {
    const at::NoGradGuard no_grad;
    model->model.Parameters()[2].second.add_(0.25);
  }
  const absl::Status status =
      ExportPolicy(Lazy(TensorsOf(*model)), {tiny.Path("model"), tiny.Path("copy"), at::kFloat});
  ASSERT_TRUE(status.ok()) << status;
  const auto copy = LoadModel({tiny.Path("copy"), "float32"});
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_NE(copy->digest, model->digest);
  for (size_t i = 0; i < model->model.Parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(model->model.Parameters()[i].second, copy->model.Parameters()[i].second));
  }
}

TEST(ExportPolicy, UnwritableTargetIsStorage) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32"});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(ExitCodeOf(ExportPolicy(Lazy(TensorsOf(*model)),
                                    {tiny.Path("model"), "/proc/model", at::kFloat})),
            ExitCode::kStorage);
}

}  // namespace
}  // namespace fpo::train
