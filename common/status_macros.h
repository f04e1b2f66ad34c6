#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the error of a Status expression from the enclosing function.
#define FPO_RETURN_IF_ERROR(expr)            \
  do {                                       \
    ::absl::Status fpo_status = (expr);      \
    if (!fpo_status.ok()) return fpo_status; \
  } while (false)

#define FPO_CONCAT_INNER(a, b) a##b
#define FPO_CONCAT(a, b) FPO_CONCAT_INNER(a, b)

// Evaluates a StatusOr expression: assigns its value to `lhs` or returns its error.
#define FPO_ASSIGN_OR_RETURN(lhs, expr) \
  FPO_ASSIGN_OR_RETURN_IMPL(FPO_CONCAT(fpo_or_, __LINE__), lhs, expr)
#define FPO_ASSIGN_OR_RETURN_IMPL(result, lhs, expr)   \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = std::move(result).value()
