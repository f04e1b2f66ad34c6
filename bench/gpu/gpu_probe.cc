// What a machine can do at best, beside which the trainer's steps are judged, and a random SAE to
// train with. Prints JSON lines. Packed by scripts/gpu_check.sh; its checks call
//
//   fpo_gpu_probe products DEVICE MxKxN...    products of random matrices, in each type
//   fpo_gpu_probe kernels DEVICE ROWS VOCAB   see kernel_probe.h
//   fpo_gpu_probe copy DEVICE MIB             within the device, to it and from it
//   fpo_gpu_probe group DEVICE PORT           one rank over Gloo or NCCL
//   fpo_gpu_probe sae HIDDEN WIDTH THRESHOLD LAYER FOLDER

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "bench/gpu/kernel_probe.h"
#include "bench/gpu/probe_tools.h"
#include "common/status_macros.h"
#include "train/collective/c10d_process_group.h"
#include "train/device.h"
#include "train/device/device_name.h"
#include "train/formats/sae_files.h"
#include "train/loop/utilisation.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

struct Shape {
  std::string name;  // MxKxN
  int64_t m = 0, k = 0, n = 0;
};

absl::StatusOr<Shape> ParseShape(const std::string& text) {
  const Words words = absl::StrSplit(text, 'x');
  Shape shape;
  shape.name = text;
  if (words.size() == 3 && absl::SimpleAtoi(words[0], &shape.m) &&
      absl::SimpleAtoi(words[1], &shape.k) && absl::SimpleAtoi(words[2], &shape.n)) {
    return shape;
  }
  return absl::InvalidArgumentError(absl::StrCat(text, " is not MxKxN"));
}

// Operations a second of one product; `widen`: of bfloat16 into float32.
double ProductSpeed(at::Device device, const Shape& shape, at::ScalarType type, bool widen) {
  const at::Tensor a = Random({shape.m, shape.k}, device, type);
  const at::Tensor b = Random({shape.k, shape.n}, device, type);
  const double seconds = SecondsOf(device, [&] {
    if (widen) {
      at::mm(a, b, at::kFloat);
    } else {
      at::mm(a, b);
    }
  });
  const double products = static_cast<double>(shape.m) * static_cast<double>(shape.k);
  return 2 * products * static_cast<double>(shape.n) / seconds;
}

void PrintProduct(at::Device device, const Shape& shape, at::ScalarType type, bool widen) {
  Json line;
  line["shape"] = shape.name;
  line["type"] = widen ? "bfloat16 to float32" : type == at::kFloat ? "float32" : "bfloat16";
  double speed = 0;
  const absl::Status status = RunTorch([&] {
    speed = ProductSpeed(device, shape, type, widen);
    return absl::OkStatus();
  });
  const std::string why(status.message());
  const auto published = DataSheetFlops(DeviceName(device), type);
  if (published.has_value() && !widen) line["published_tflops"] = *published * 1e-12;
  if (status.ok()) {
    line["tflops"] = speed * 1e-12;
  } else {
    line["error"] = why.substr(0, why.find('\n'));
  }
  Print(line);
}

absl::Status Products(at::Device device, const Words& shapes) {
  for (const std::string& text : shapes) {
    FPO_ASSIGN_OR_RETURN(const Shape shape, ParseShape(text));
    PrintProduct(device, shape, at::kBFloat16, false);
    PrintProduct(device, shape, at::kBFloat16, true);
    PrintProduct(device, shape, at::kFloat, false);
  }
  return absl::OkStatus();
}

// Bytes read and bytes written both count within a device.
absl::Status Copy(at::Device device, const Words& words) {
  int64_t mib = 0;
  if (words.size() != 1 || !absl::SimpleAtoi(words[0], &mib)) {
    return absl::InvalidArgumentError("copy needs a number of MiB");
  }
  const double bytes = static_cast<double>(mib) * 1048576;
  const at::Tensor host = at::full({mib << 18}, 1.5);
  const at::Tensor from = host.to(device), to = at::empty_like(from);
  const double inside = SecondsOf(device, [&] { to.copy_(from); });
  Json line;
  line["mib"] = mib;
  line["within_gbs"] = 2 * bytes / inside * 1e-9;
  if (!device.is_cpu()) {
    const at::Tensor back = at::empty_like(host);
    line["to_device_gbs"] = bytes / SecondsOf(device, [&] { to.copy_(host); }) * 1e-9;
    line["to_host_gbs"] = bytes / SecondsOf(device, [&] { back.copy_(from); }) * 1e-9;
  }
  Print(line);
  return absl::OkStatus();
}

absl::Status Group(at::Device device, const Words& words) {
  C10dOptions options;
  options.device = device;
  options.timeout = absl::Seconds(60);
  if (words.size() != 1 || !absl::SimpleAtoi(words[0], &options.port)) {
    return absl::InvalidArgumentError("group needs a port");
  }
  const absl::Time start = absl::Now();
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<ProcessGroup> group, JoinC10d(options));
  const at::Tensor large = at::full({5, 1 << 20}, 1.5, at::device(device));
  const at::Tensor small = at::ones({3}, at::device(device));
  std::vector<double> values = {0.25, -3};
  FPO_RETURN_IF_ERROR(group->Sum(&values));
  FPO_RETURN_IF_ERROR(group->Sum(std::vector<at::Tensor>{large, small}));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> all, group->AllGather("own"));
  FPO_RETURN_IF_ERROR(group->Barrier("probing"));
  const bool right = values == std::vector<double>{0.25, -3} && all == Words{"own"} &&
                     at::all(large == 1.5).item<bool>() && at::all(small == 1).item<bool>();
  Json line;
  line["backend"] = device.is_cpu() ? "gloo" : "nccl";
  line["seconds"] = absl::ToDoubleSeconds(absl::Now() - start);
  line["right"] = right;
  Print(line);
  return right ? absl::OkStatus() : absl::InternalError("a sum over one rank changed its values");
}

absl::Status RandomSae(const Words& words) {
  int64_t hidden = 0, width = 0;
  double threshold = 0;
  SaeParameters sae;
  sae.site = "resid_post";
  if (words.size() != 5 || !absl::SimpleAtoi(words[0], &hidden) ||
      !absl::SimpleAtoi(words[1], &width) || !absl::SimpleAtod(words[2], &threshold) ||
      !absl::SimpleAtoi(words[3], &sae.layer)) {
    return absl::InvalidArgumentError("sae needs HIDDEN WIDTH THRESHOLD LAYER FOLDER");
  }
  at::manual_seed(1);
  const double scale = 1 / std::sqrt(static_cast<double>(hidden));
  sae.w_enc = at::randn({hidden, width}) * scale;
  sae.w_dec = at::randn({width, hidden}) * scale;
  sae.b_enc = at::zeros({width});
  sae.b_dec = at::zeros({hidden});
  sae.threshold = at::full({width}, threshold);
  return WriteSaeFile(words[4], sae);
}

absl::Status Probe(const Words& words) {
  if (words.size() < 2) return absl::InvalidArgumentError("see the first lines of gpu_probe.cc");
  const Words rest(words.begin() + 2, words.end());
  if (words[0] == "sae") return RandomSae(Words(words.begin() + 1, words.end()));
  FPO_ASSIGN_OR_RETURN(const DeviceChoice choice, ChooseDevice(words[1]));
  const at::NoGradGuard no_grad;
  if (words[0] == "products") return Products(choice.device, rest);
  if (words[0] == "kernels") return ProbeKernels(choice.device, rest);
  if (words[0] == "copy") return Copy(choice.device, rest);
  if (words[0] == "group") return Group(choice.device, rest);
  return absl::InvalidArgumentError(absl::StrCat("there is no probe '", words[0], "'"));
}

}  // namespace
}  // namespace fpo::train

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const absl::Status status = fpo::train::RunTorch([&] { return fpo::train::Probe(words); });
  if (!status.ok()) std::fprintf(stderr, "fpo_gpu_probe: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
