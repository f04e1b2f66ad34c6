#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "coordinator/core/store/stored_fields.h"
#include "coordinator/core/store/stored_value.h"

// Small structs, of which there are many, are stored as arrays. Their Fields gives values without
// names, in the order that never changes, to a ListWriter or a ListReader:
//
//   void Fields(auto& archive, MaybeConst<EventLine> auto& l) { archive(l.attempt, l.json); }
namespace fpo::coordinator {

class ListWriter {
 public:
  explicit ListWriter(Json* json) : json_(json) {}  // not owned

  template <typename... T>
  void operator()(const T&... values) {
    (Put(Append(json_), values), ...);
  }
  // An unknown name reads as `unknown`.
  template <NamedEnum Enum>
  void Or(const Enum& value, Enum /*unknown*/) {
    Put(Append(json_), value);
  }

 private:
  Json* const json_;
};

class ListReader {
 public:
  explicit ListReader(const Json& json) : json_(json) {}  // not owned

  template <typename... T>
  void operator()(T&... values) {
    (Read(&values), ...);
  }
  template <NamedEnum Enum>
  void Or(Enum& value, Enum unknown) {
    std::string name;
    Read(&name);
    value = FromName<Enum>(name).value_or(unknown);
  }

 private:
  template <typename T>
  void Read(T* value) {  // every field is there
    const Json& item = ItemOf(json_, next_++);
    if constexpr (Plain<T>) RequireValue(item);
    Get(item, value);
  }

  const Json& json_;
  size_t next_ = 0;
};

template <Stored T>
std::string EncodeList(const T& value) {
  return WriteStored([&](Json* json) {
    ListWriter writer(json);
    Fields(writer, value);
  });
}
template <Stored T>
absl::StatusOr<T> DecodeList(absl::string_view bytes, absl::string_view what) {
  T value;
  FPO_RETURN_IF_ERROR(ReadStored(bytes, what, [&](const Json& json) {
    ListReader reader(json);
    Fields(reader, value);
  }));
  return value;
}

}  // namespace fpo::coordinator
