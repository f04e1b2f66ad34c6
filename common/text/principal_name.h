#pragma once

#include "absl/strings/string_view.h"

namespace fpo {

// What a caller of the services, or a group of them, may be called: 1 to 64 of letters, digits,
// '-', '_', '.' and '@'. Names stand in lists, in job files and in words like group:NAME.
bool IsPrincipalName(absl::string_view name);

}  // namespace fpo
