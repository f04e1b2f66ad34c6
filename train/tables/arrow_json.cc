#include "train/tables/arrow_json.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string_view>

namespace fpo::train {
namespace {

using arrow::Array;
using arrow::Type;

constexpr int kTableLevelsMax = 60;

int LevelsOf(const arrow::DataType& type, int limit) {
  if (limit == 0) return 1;
  int deepest = 0;
  for (const auto& field : type.fields()) {
    deepest = std::max(deepest, LevelsOf(*field->type(), limit - 1));
  }
  return deepest + 1;
}

void AppendQuoted(std::string_view text, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 15]);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

template <typename T>
void AppendNumber(T value, std::string* out) {
  char text[40];
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  out->append(text, end);
}

// As a floating-point number also where it is a whole one: 1.0 is no token id.
void AppendReal(double value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
  const size_t begin = out->size();
  AppendNumber(value, out);
  if (out->find_first_of(".e", begin) == std::string::npos) out->append(".0");
}

// What JSON has no value for: no text and no number is made of it.
void AppendUnread(std::string_view what, std::string* out) {
  out->append("{\"unread\":");
  AppendQuoted(what, out);
  out->push_back('}');
}

template <typename ArrayType>
void AppendInteger(const Array& array, int64_t i, std::string* out) {
  AppendNumber(static_cast<const ArrayType&>(array).Value(i), out);
}

template <typename ArrayType>
void AppendText(const Array& array, int64_t i, std::string* out) {
  AppendQuoted(static_cast<const ArrayType&>(array).GetView(i), out);
}

template <typename ArrayType>
void AppendBytes(const Array& array, int64_t i, std::string* out) {
  const size_t size = static_cast<const ArrayType&>(array).GetView(i).size();
  AppendUnread(std::to_string(size) + " bytes", out);
}

template <typename ArrayType>
void AppendList(const Array& array, int64_t i, std::string* out) {
  const auto& list = static_cast<const ArrayType&>(array);
  const int64_t begin = list.value_offset(i), end = begin + list.value_length(i);
  out->push_back('[');
  for (int64_t item = begin; item < end; ++item) {
    if (item > begin) out->push_back(',');
    AppendJson(*list.values(), item, out);
  }
  out->push_back(']');
}

void AppendStruct(const Array& array, int64_t i, std::string* out) {
  const auto& fields = static_cast<const arrow::StructArray&>(array);
  out->push_back('{');
  for (int k = 0; k < fields.num_fields(); ++k) {
    if (k > 0) out->push_back(',');
    AppendQuoted(array.type()->field(k)->name(), out);
    out->push_back(':');
    AppendJson(*fields.field(k), i, out);
  }
  out->push_back('}');
}

// A map with texts as keys is an object; another one is a list of pairs.
void AppendMap(const Array& array, int64_t i, std::string* out) {
  const auto& map = static_cast<const arrow::MapArray&>(array);
  const bool object = map.keys()->type_id() == Type::STRING;
  const int64_t begin = map.value_offset(i), end = begin + map.value_length(i);
  out->push_back(object ? '{' : '[');
  for (int64_t item = begin; item < end; ++item) {
    if (item > begin) out->push_back(',');
    if (!object) out->push_back('[');
    AppendJson(*map.keys(), item, out);
    out->push_back(object ? ':' : ',');
    AppendJson(*map.items(), item, out);
    if (!object) out->push_back(']');
  }
  out->push_back(object ? '}' : ']');
}

void AppendDictionary(const Array& array, int64_t i, std::string* out) {
  const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
  AppendJson(*coded.dictionary(), coded.GetValueIndex(i), out);
}

void AppendDecimal(const Array& array, int64_t i, std::string* out) {
  const auto scalar = array.GetScalar(i);
  out->append(scalar.ok() ? (*scalar)->ToString() : "null");
}

// Dates, times and the like.
void AppendPrinted(const Array& array, int64_t i, std::string* out) {
  const auto scalar = array.GetScalar(i);
  AppendQuoted(scalar.ok() ? (*scalar)->ToString() : "", out);
}

// False for another type. The same below.
bool AppendIfInteger(const Array& array, int64_t i, std::string* out) {
  switch (array.type_id()) {
    case Type::INT8:
      AppendInteger<arrow::Int8Array>(array, i, out);
      return true;
    case Type::INT16:
      AppendInteger<arrow::Int16Array>(array, i, out);
      return true;
    case Type::INT32:
      AppendInteger<arrow::Int32Array>(array, i, out);
      return true;
    case Type::INT64:
      AppendInteger<arrow::Int64Array>(array, i, out);
      return true;
    case Type::UINT8:
      AppendInteger<arrow::UInt8Array>(array, i, out);
      return true;
    case Type::UINT16:
      AppendInteger<arrow::UInt16Array>(array, i, out);
      return true;
    case Type::UINT32:
      AppendInteger<arrow::UInt32Array>(array, i, out);
      return true;
    case Type::UINT64:
      AppendInteger<arrow::UInt64Array>(array, i, out);
      return true;
    default:
      return false;
  }
}

bool AppendIfReal(const Array& array, int64_t i, std::string* out) {
  switch (array.type_id()) {
    case Type::HALF_FLOAT: {
      const uint16_t bits = static_cast<const arrow::HalfFloatArray&>(array).Value(i);
      AppendReal(arrow::util::Float16::FromBits(bits).ToDouble(), out);
      return true;
    }
    case Type::FLOAT:
      AppendReal(static_cast<const arrow::FloatArray&>(array).Value(i), out);
      return true;
    case Type::DOUBLE:
      AppendReal(static_cast<const arrow::DoubleArray&>(array).Value(i), out);
      return true;
    default:
      return false;
  }
}

bool AppendIfList(const Array& array, int64_t i, std::string* out) {
  switch (array.type_id()) {
    case Type::LIST:
      AppendList<arrow::ListArray>(array, i, out);
      return true;
    case Type::LARGE_LIST:
      AppendList<arrow::LargeListArray>(array, i, out);
      return true;
    case Type::LIST_VIEW:
      AppendList<arrow::ListViewArray>(array, i, out);
      return true;
    case Type::LARGE_LIST_VIEW:
      AppendList<arrow::LargeListViewArray>(array, i, out);
      return true;
    case Type::FIXED_SIZE_LIST:
      AppendList<arrow::FixedSizeListArray>(array, i, out);
      return true;
    default:
      return false;
  }
}

void AppendOther(const Array& array, int64_t i, std::string* out) {
  switch (array.type_id()) {
    case Type::BINARY:
      return AppendBytes<arrow::BinaryArray>(array, i, out);
    case Type::LARGE_BINARY:
      return AppendBytes<arrow::LargeBinaryArray>(array, i, out);
    case Type::BINARY_VIEW:
      return AppendBytes<arrow::BinaryViewArray>(array, i, out);
    case Type::FIXED_SIZE_BINARY:
      return AppendBytes<arrow::FixedSizeBinaryArray>(array, i, out);
    case Type::DECIMAL32:
    case Type::DECIMAL64:
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return AppendDecimal(array, i, out);
    case Type::DATE32:
    case Type::DATE64:
    case Type::TIME32:
    case Type::TIME64:
    case Type::TIMESTAMP:
    case Type::DURATION:
      return AppendPrinted(array, i, out);
    default:
      return AppendUnread(array.type()->ToString().substr(0, 80), out);
  }
}

}  // namespace

bool IsTooDeep(const arrow::DataType& type) {
  return LevelsOf(type, kTableLevelsMax) > kTableLevelsMax;
}

void AppendJson(const Array& array, int64_t i, std::string* out) {
  if (array.IsNull(i)) {
    out->append("null");
    return;
  }
  if (AppendIfInteger(array, i, out) || AppendIfReal(array, i, out) ||
      AppendIfList(array, i, out)) {
    return;
  }
  switch (array.type_id()) {
    case Type::STRING:
      return AppendText<arrow::StringArray>(array, i, out);
    case Type::LARGE_STRING:
      return AppendText<arrow::LargeStringArray>(array, i, out);
    case Type::STRING_VIEW:
      return AppendText<arrow::StringViewArray>(array, i, out);
    case Type::BOOL:
      out->append(static_cast<const arrow::BooleanArray&>(array).Value(i) ? "true" : "false");
      return;
    case Type::STRUCT:
      return AppendStruct(array, i, out);
    case Type::MAP:
      return AppendMap(array, i, out);
    case Type::DICTIONARY:
      return AppendDictionary(array, i, out);
    case Type::EXTENSION:
      return AppendJson(*static_cast<const arrow::ExtensionArray&>(array).storage(), i, out);
    default:
      return AppendOther(array, i, out);
  }
}

std::string RowJson(const arrow::RecordBatch& batch, int64_t index) {
  std::string out = "{";
  for (int k = 0; k < batch.num_columns(); ++k) {
    if (k > 0) out.push_back(',');
    AppendQuoted(batch.column_name(k), &out);
    out.push_back(':');
    AppendJson(*batch.column(k), index, &out);
  }
  out.push_back('}');
  return out;
}

}  // namespace fpo::train
