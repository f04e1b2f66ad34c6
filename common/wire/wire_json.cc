#include "common/wire/wire_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <optional>

#include "absl/strings/string_view.h"
#include "common/wire/enums.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

template <typename Proto>
absl::string_view TextOfNumber(int number) {
  return TextOf(static_cast<Proto>(number));
}

struct EnumTexts {
  const EnumDescriptor* type;
  absl::string_view (*text)(int number);
};

// The text of a value of one of our enums, by its name in the messages.
std::optional<absl::string_view> TextOfValue(const EnumDescriptor* type, const std::string& name) {
  static const EnumTexts kTexts[] = {
      {pb::DeviceKind_descriptor(), TextOfNumber<pb::DeviceKind>},
      {pb::EndClass_descriptor(), TextOfNumber<pb::EndClass>},
      {pb::JobKind_descriptor(), TextOfNumber<pb::JobKind>},
      {pb::JobState_descriptor(), TextOfNumber<pb::JobState>},
      {pb::LineStream_descriptor(), TextOfNumber<pb::LineStream>},
      {pb::Phase_descriptor(), TextOfNumber<pb::Phase>},
      {pb::WorkerState_descriptor(), TextOfNumber<pb::WorkerState>},
  };
  const auto* value = type->FindValueByName(name);
  for (const EnumTexts& each : kTexts) {
    if (value != nullptr && each.type == type) return each.text(value->number());
  }
  return std::nullopt;
}

// Copies protobuf's JSON of a message, replacing the names of enum values by their texts. Follows
// the message's type, so that a string that looks like a name is kept. Numbers and strings are
// copied byte by byte. Relies on protobuf's output being well-formed and without blanks.
class TextForm {
 public:
  explicit TextForm(absl::string_view json) : rest_(json) {}

  std::string Of(const Descriptor* type) {
    Object([type](const std::string& name) { return type->FindFieldByName(name); });
    return std::move(out_);
  }

 private:
  // `field_of` gives a member's field by its name; null: unknown, copied as it is.
  template <typename FieldOf>
  void Object(const FieldOf& field_of) {
    Take(1);  // {
    while (Next() == '"') {
      const std::string name = String();
      Copy(name);
      Take(1);  // :
      Member(field_of(name.substr(1, name.size() - 2)));
      if (Next() == ',') Take(1);
    }
    Take(1);  // }
  }

  void Member(const FieldDescriptor* field) {
    if (field != nullptr && field->is_map()) {
      const FieldDescriptor* value = field->message_type()->map_value();
      return Object([value](const std::string&) { return value; });
    }
    if (Next() != '[') return Value(field);
    Take(1);
    while (Next() != ']') {
      Value(field);
      if (Next() == ',') Take(1);
    }
    Take(1);
  }

  void Value(const FieldDescriptor* field) {
    if (Next() == '{') {
      const Descriptor* type = field == nullptr ? nullptr : field->message_type();
      return Object([type](const std::string& name) {
        return type == nullptr ? nullptr : type->FindFieldByName(name);
      });
    }
    if (Next() != '"') return Take(rest_.find_first_of(",]}"));
    const std::string text = String();
    const EnumDescriptor* type = field == nullptr ? nullptr : field->enum_type();
    const auto known =
        type == nullptr ? std::nullopt : TextOfValue(type, text.substr(1, text.size() - 2));
    if (!known) return Copy(text);
    out_ += '"';
    out_.append(known->data(), known->size());
    out_ += '"';
  }

  char Next() const { return rest_.empty() ? '\0' : rest_.front(); }
  void Copy(const std::string& text) { out_ += text; }
  void Take(size_t count) {
    out_.append(rest_.substr(0, count).data(), std::min(count, rest_.size()));
    rest_.remove_prefix(std::min(count, rest_.size()));
  }
  // With its quotes.
  std::string String() {
    size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    const std::string text(rest_.substr(0, end + 1));
    rest_.remove_prefix(text.size());
    return text;
  }

  absl::string_view rest_;
  std::string out_;
};

}  // namespace

std::string WireJson(const google::protobuf::Message& message, JsonFields fields) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = fields == JsonFields::kAll;
  std::string json;
  // Fails only for messages with Any or broken timestamps, which none of ours has.
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? TextForm(json).Of(message.GetDescriptor()) : "{}";
}

}  // namespace fpo
