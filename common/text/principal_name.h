#pragma once

#include "absl/strings/string_view.h"

namespace fpo {

// Whether it is a valid name of a caller of the services, or of a group: 1 to 64 of letters,
// digits, '-', '_', '.' and '@'. Names appear in lists, in job files and in words like group:NAME.
bool IsPrincipalName(absl::string_view name);

}  // namespace fpo
