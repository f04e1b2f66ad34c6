#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace arrow {
class Array;
class DataType;
class RecordBatch;
}  // namespace arrow

namespace fpo::train {

// Whether lists and structs are nested more deeply than rows may be.
bool IsTooDeep(const arrow::DataType& type);

// Appends the value at `index` as JSON. Texts are copied as they are, UTF-8 or not.
void AppendJson(const arrow::Array& array, int64_t index, std::string* out);

// The row at `index` of a batch as a JSON object.
std::string RowJson(const arrow::RecordBatch& batch, int64_t index);

}  // namespace fpo::train
