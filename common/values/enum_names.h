#pragma once

#include <cstddef>
#include <iterator>
#include <optional>

#include "absl/strings/string_view.h"

namespace fpo {

// The texts of an enum whose values count up from 0: specialised next to each enum of common/values
// with `static constexpr absl::string_view kNames[]` in the order of the values. Stores, JSON, log
// lines and metric labels contain these texts, so they never change.
template <typename Enum>
struct EnumNames;

template <typename Enum>
concept NamedEnum = requires {
  EnumNames<Enum>::kNames;
};

// Number of values.
template <NamedEnum Enum>
inline constexpr size_t kEnumSize = std::size(EnumNames<Enum>::kNames);

template <NamedEnum Enum>
constexpr absl::string_view Name(Enum value) {
  return EnumNames<Enum>::kNames[static_cast<size_t>(value)];
}

// "" for none.
template <NamedEnum Enum>
constexpr absl::string_view Name(const std::optional<Enum>& value) {
  return value ? Name(*value) : absl::string_view();
}

// nullopt for a text that is not a name, such as "".
template <NamedEnum Enum>
constexpr std::optional<Enum> FromName(absl::string_view name) {
  for (size_t i = 0; i < kEnumSize<Enum>; ++i) {
    if (EnumNames<Enum>::kNames[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace fpo
