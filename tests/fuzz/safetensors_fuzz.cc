// A .safetensors file. What opens must be whole: each tensor has its bytes and can be viewed.

#include <cstdint>

#include <ATen/ATen.h>

#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/formats/safetensors.h"
#include "train/formats/tensor_type.h"

FUZZ_TARGET(safetensors) {
  using namespace fpo::train;  // NOLINT: one function
  const auto file =
      SafetensorsFile::Open(fpo::fuzz::WriteInput("x.safetensors", fpo::fuzz::Text(data, size)));
  if (!file.ok()) return 0;
  size_t total = 0;
  for (const auto& [name, entry] : (*file)->entries()) {
    const auto bytes = (*file)->Bytes(name);
    FUZZ_CHECK(bytes.ok());
    FUZZ_CHECK(static_cast<int64_t>(bytes->size()) == entry.end - entry.begin);
    total += bytes->size();
    const auto tensor = (*file)->Tensor(name);
    if (!TensorTypeOf(entry.dtype).ok()) continue;
    FUZZ_CHECK(tensor.ok());
    FUZZ_CHECK(tensor->numel() == entry.Elements());
    FUZZ_CHECK(tensor->sizes().vec() == entry.shape);
    if (tensor->is_floating_point()) tensor->to(at::kDouble).sum();
  }
  FUZZ_CHECK(total <= size);
  return 0;
}
