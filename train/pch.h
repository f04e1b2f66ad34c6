#pragma once

// Compiled once, in fpo_ops, and reused by every trainer target and test (fpo_use_trainer_pch).
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
