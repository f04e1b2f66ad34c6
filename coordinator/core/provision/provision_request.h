#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo::coordinator {

// Workers that were asked of an engine, as one allocation, for one job. Stored before the engine is
// asked, so that a restarted coordinator knows of it and does not ask twice.
struct ProvisionRequest {
  enum class State {
    kWanted,   // the engine may have been asked; its name tells
    kAsked,    // it has `reference`; not all workers have come
    kServing,  // all came that will
    kCalledOff,
  };
  std::string id;
  std::string pool;
  std::string job_id;  // whose gang it holds; others may use it too
  std::string owner;   // of that job
  int32_t workers = 0;
  int32_t attempt = 1;                        // in a row, for so many workers of the pool
  absl::Time asked;                           // wall clock
  absl::Time started = absl::InfinitePast();  // when the engine was seen to start them
  State state = State::kWanted;
  std::string reference = {};  // the engine's name for it, "1234"
  int32_t arrived = 0;         // workers that have connected, at most

  bool operator==(const ProvisionRequest&) const = default;
  bool is_coming() const { return state == State::kWanted || state == State::kAsked; }
};

// By what an engine's list shows it: "fpo-POOL-ID".
std::string AllocationName(const ProvisionRequest& request);

std::string EncodeProvisionRequest(const ProvisionRequest& request);
absl::StatusOr<ProvisionRequest> DecodeProvisionRequest(absl::string_view bytes);  // DataLoss

}  // namespace fpo::coordinator
