#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "ctl/command_line/run_command.h"
#include "gtest/gtest.h"
#include "tests/ctl/fake_cache.h"
#include "tests/ctl/fake_coordinator.h"

namespace fpo::ctl {

// Runs fpoctl's command lines in this process against a fake coordinator and a fake cache, with
// short waits. The hint of every error must lead somewhere.
class CommandRun : public ::testing::Test {
 protected:
  CommandRun();

  struct Result {
    int code = -1;
    std::string out;
    std::string err;
  };
  Result Run(const std::vector<std::string>& args);

  // A job file in a fresh folder; returns its path.
  std::string WriteJob(const std::string& text = kJobText);

  static constexpr char kJobText[] =
      "name: tiny-fpo\n"
      "kind: train\n"
      "model: {path: sft/model, dtype: float32}\n"
      "sae: {path: /saes/params.npz}\n"
      "data:\n"
      "  train: [data/train.jsonl]\n"
      "method: {name: fpo, beta: 2.0}\n"
      "output: runs/fpo\n";

  FakeCoordinator coordinator_;
  FakeCache cache_;
  Interrupt interrupt_;
  Environment environment_;
  FollowTimes times_;
  std::string folder_;
};

}  // namespace fpo::ctl
