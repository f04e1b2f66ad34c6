#pragma once

// Compiled once, in fpo_finite_difference, and reused by every trainer test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "train/pch.h"
