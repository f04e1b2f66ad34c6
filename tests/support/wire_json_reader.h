#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace fpo::testing {

// The name in the messages of an enum's text, or the text itself, which then is none.
inline std::string NameOfText(const google::protobuf::EnumDescriptor* type,
                              const std::string& text) {
  const std::string end = text.empty() ? "_UNSPECIFIED" : "_" + absl::AsciiStrToUpper(text);
  for (int i = 0; i < type->value_count(); ++i) {
    if (absl::EndsWith(type->value(i)->name(), end)) return type->value(i)->name();
  }
  return text;
}

// WireJson's form to protobuf's own.
inline void NameEnums(const google::protobuf::Descriptor* type, nlohmann::json* object) {
  if (!object->is_object()) return;
  for (auto& [key, value] : object->items()) {
    const auto* field = type->FindFieldByName(key);
    if (field == nullptr || field->is_map()) continue;
    const auto each = [field](nlohmann::json* one) {
      if (field->message_type() != nullptr) NameEnums(field->message_type(), one);
      if (field->enum_type() != nullptr && one->is_string()) {
        *one = NameOfText(field->enum_type(), one->get<std::string>());
      }
    };
    if (field->is_repeated()) {
      for (auto& one : value) each(&one);
    } else {
      each(&value);
    }
  }
}

// Whether a line is what WireJson writes of such a message: no other field, no other enum value.
inline bool ReadWireJson(const std::string& line, google::protobuf::Message* message) {
  nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  NameEnums(message->GetDescriptor(), &object);
  return google::protobuf::util::JsonStringToMessage(object.dump(), message).ok();
}

}  // namespace fpo::testing
