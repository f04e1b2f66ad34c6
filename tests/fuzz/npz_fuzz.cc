// A .npz archive and, alone, one .npy image. What is read has the shape that it states.

#include <cstdint>

#include <ATen/ATen.h>

#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/formats/npz/npz.h"

namespace {

void CheckArray(const at::Tensor& array) {
  FUZZ_CHECK(array.is_contiguous());
  for (const int64_t size : array.sizes()) FUZZ_CHECK(size >= 0);
  if (array.numel() > 0) array.to(at::kDouble).sum();
}

}  // namespace

FUZZ_TARGET(npz) {
  const auto text = fpo::fuzz::Text(data, size);
  const auto image = fpo::train::ParseNpy(text, "a");
  if (image.ok()) CheckArray(*image);
  const auto arrays = fpo::train::ReadNpz(fpo::fuzz::WriteInput("x.npz", text));
  if (!arrays.ok()) return 0;
  for (const auto& [name, array] : *arrays) CheckArray(array);
  return 0;
}
