#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

// What the tests of conversions find out about messages by reflection, so that a field that is new
// and forgotten makes them fail.
namespace fpo::testing {

namespace fields {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

inline void SetNumber(const FieldDescriptor* field, int value, Message* message) {
  const auto* reflection = message->GetReflection();
  const bool many = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      many ? reflection->AddInt32(message, field, value)
           : reflection->SetInt32(message, field, value);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      many ? reflection->AddInt64(message, field, value)
           : reflection->SetInt64(message, field, value);
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      reflection->SetUInt64(message, field, static_cast<uint64_t>(value));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      reflection->SetDouble(message, field, value + 0.5);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(message, field, true);
      break;
    default:
      reflection->SetEnumValue(message, field, 1);
  }
}

}  // namespace fields

// Gives every field a value of its own, one element to repeated ones. Of a oneof the last counts.
inline void FillFields(google::protobuf::Message* message, int* next) {
  using google::protobuf::FieldDescriptor;
  const auto* reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    const int value = ++*next;
    const bool many = field->is_repeated();
    if (field->message_type() != nullptr) {
      FillFields(many ? reflection->AddMessage(message, field)
                      : reflection->MutableMessage(message, field),
                 next);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = std::to_string(value);
      many ? reflection->AddString(message, field, text)
           : reflection->SetString(message, field, text);
    } else {
      fields::SetNumber(field, value, message);
    }
  }
}

template <typename Message>
Message Filled() {
  Message message;
  int next = 0;
  FillFields(&message, &next);
  return message;
}

inline void CollectUnset(const google::protobuf::Message& message, const std::string& path,
                         std::vector<std::string>* unset) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    const std::string name = path + field->name();
    if (field->real_containing_oneof() != nullptr && !reflection->HasField(message, field)) {
      continue;
    }
    if (field->is_repeated() ? reflection->FieldSize(message, field) == 0
                             : !reflection->HasField(message, field)) {
      unset->push_back(name);
    } else if (field->message_type() != nullptr && !field->is_map()) {
      const auto& child = field->is_repeated() ? reflection->GetRepeatedMessage(message, field, 0)
                                               : reflection->GetMessage(message, field);
      if (field->message_type()->full_name() != "google.protobuf.Timestamp") {
        CollectUnset(child, name + ".", unset);
      }
    }
  }
}

// Fields that hold their default: either they were not filled, or the conversion forgot them.
inline std::vector<std::string> Unset(const google::protobuf::Message& message) {
  std::vector<std::string> unset;
  CollectUnset(message, "", &unset);
  return unset;
}

}  // namespace fpo::testing
