#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "coordinator/core/store/stored_value.h"

// A stored struct names its fields once, for writing and for reading:
//
//   void Fields(auto& archive, MaybeConst<BadCheckpoint> auto& b) {
//     archive("step", b.step);
//     archive("found", b.found);
//   }
//
// `archive` is a FieldWriter or a FieldReader. A reader ignores unknown fields and leaves absent
// ones at their default, so that the previous version can read them.
namespace fpo::coordinator {

template <typename T, typename Struct>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Struct>;

// A struct with Fields.
template <typename T>
concept Stored = std::is_class_v<T> && !Plain<T>;

template <Stored T>
void Put(Json* json, const T& value);
template <Stored T>
void Get(const Json& json, T* value);

template <Stored T>
void Put(Json* json, const std::vector<T>& values) {
  MakeArray(json);
  for (const T& value : values) Put(Append(json), value);
}
template <Stored T>
void Get(const Json& json, std::vector<T>* values) {
  for (size_t i = 0; i < SizeOf(json); ++i) Get(ItemOf(json, i), &values->emplace_back());
}

class FieldWriter {
 public:
  explicit FieldWriter(Json* json) : json_(json) {}  // not owned

  template <typename T>
  void operator()(const char* name, const T& value) {
    Put(MemberOf(json_, name), value);
  }
  template <typename T>
  void Required(const char* name, const T& value) {
    Put(MemberOf(json_, name), value);
  }
  // An enum by its number. An absent one reads as `absent`, and is an error without that.
  template <typename Enum>
  void Number(const char* name, const Enum& value, std::optional<Enum> /*absent*/ = {}) {
    Put(MemberOf(json_, name), static_cast<int32_t>(value));
  }

 private:
  Json* const json_;
};

class FieldReader {
 public:
  explicit FieldReader(const Json& json) : json_(json) { RequireObject(json); }  // not owned

  template <typename T>
  void operator()(const char* name, T& value) {
    Get(MemberOf(json_, name), &value);
  }
  template <typename T>
  void Required(const char* name, T& value) {
    Get(RequiredMemberOf(json_, name), &value);
  }
  template <typename Enum>
  void Number(const char* name, Enum& value, std::optional<Enum> absent = {}) {
    int32_t number = absent ? static_cast<int32_t>(*absent) : 0;
    Get(absent ? MemberOf(json_, name) : RequiredMemberOf(json_, name), &number);
    if constexpr (NamedEnum<Enum>) {
      number = std::clamp(number, 0, static_cast<int32_t>(kEnumSize<Enum>) - 1);
    }
    value = static_cast<Enum>(number);
  }

 private:
  const Json& json_;
};

template <Stored T>
void Put(Json* json, const T& value) {
  FieldWriter writer(json);
  Fields(writer, value);
}
template <Stored T>
void Get(const Json& json, T* value) {
  FieldReader reader(json);
  Fields(reader, *value);
}

// A struct to bytes and back. DataLoss, naming `what`, when the bytes
// are no such struct.
template <Stored T>
std::string EncodeObject(const T& value) {
  return WriteStored([&](Json* json) { Put(json, value); });
}
template <Stored T>
absl::StatusOr<T> DecodeObject(absl::string_view bytes, absl::string_view what) {
  T value;
  FPO_RETURN_IF_ERROR(ReadStored(bytes, what, [&](const Json& json) { Get(json, &value); }));
  return value;
}
}  // namespace fpo::coordinator
