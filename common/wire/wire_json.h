#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace fpo {

enum class JsonFields {
  kAll,  // also those that hold their default
  kSet,
};

// proto3 JSON of a message on one line, with the field names of the .proto files. The values of
// enums are the texts of common/values: "RUNNING", "memory", "" for none.
std::string WireJson(const google::protobuf::Message& message,
                     JsonFields fields = JsonFields::kAll);

}  // namespace fpo
