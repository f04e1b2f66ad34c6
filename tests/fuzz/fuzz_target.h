#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

// FUZZ_TARGET(NAME) { ... return 0; }: a function of `data` and `size` that takes any bytes. With
// libFuzzer each target is a program of its own and this its entry; else all are in one program,
// fpo_fuzz_corpus, which runs the one of that name over its corpus.
#ifdef FPO_FUZZ
#define FUZZ_TARGET(name) extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
#else
#define FUZZ_TARGET(name)                                           \
  static int name##_target(const uint8_t* data, size_t size);       \
  [[maybe_unused]] static const bool name##_is_known =              \
      ::fpo::fuzz::Targets().emplace(#name, &name##_target).second; \
  static int name##_target(const uint8_t* data, size_t size)
#endif

namespace fpo::fuzz {

using Target = int (*)(const uint8_t* data, size_t size);

// Those of this program, by name; each adds itself before main.
std::map<std::string, Target>& Targets();

}  // namespace fpo::fuzz
