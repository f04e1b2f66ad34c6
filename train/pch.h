#pragma once

// Compiled once and given to every trainer target and test by the build (cmake/fpo_pch.cmake); no
// source includes it.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
