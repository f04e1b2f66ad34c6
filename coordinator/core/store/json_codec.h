#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/status_macros.h"

// What the codecs of stored values have in common.
namespace fpo::coordinator {

using Json = nlohmann::json;

// Times are microseconds since the epoch; null is InfinitePast or absent.
Json FromTime(absl::Time time);
absl::Time ToTime(const Json& json);

const Json& At(const Json& json, const char* name);  // the member of an object, or null

// Text is whatever a process wrote: bytes that are not UTF-8 become U+FFFD.
std::string Dump(const Json& json);

// Calls `read` with what the bytes hold. DataLoss, naming `what`, for bytes that are no JSON and
// when `read` throws.
absl::Status ReadStored(absl::string_view bytes, absl::string_view what,
                        const std::function<void(const Json&)>& read);

// The same for a conversion.
template <typename Convert>
auto Parse(absl::string_view bytes, absl::string_view what, Convert convert)
    -> absl::StatusOr<decltype(convert(std::declval<const Json&>()))> {
  std::optional<decltype(convert(std::declval<const Json&>()))> value;
  FPO_RETURN_IF_ERROR(
      ReadStored(bytes, what, [&](const Json& json) { value.emplace(convert(json)); }));
  return *std::move(value);
}

}  // namespace fpo::coordinator
