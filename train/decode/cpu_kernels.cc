#include "train/decode/cpu_kernels.h"

#include "train/decode/vector_attend.h"
#include "train/decode/vector_linear.h"
#include "train/decode/vector_rows.h"

namespace fpo::train {
namespace {

// The same sources for each kind of processor: the widest that this one has is chosen at run time.
// A target may only inline code that needs no more than it has, hence the copies.
#if defined(__x86_64__)
#define FPO_AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
#define FPO_AVX2 __attribute__((target("avx2,fma")))

enum class Processor { kAvx512, kAvx2, kOther };

Processor DetectProcessor() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
    return Processor::kAvx512;
  }
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return avx2 ? Processor::kAvx2 : Processor::kOther;
}

// NAME(arguments) runs vector_kernels' VectorNAME for this processor.
#define FPO_KERNEL(name, parameters, arguments)                                     \
  FPO_AVX512 void name##Avx512 parameters { vector::name<vector::Wide> arguments; } \
  FPO_AVX2 void name##Avx2 parameters { vector::name<vector::Narrow> arguments; }   \
  void name##Other parameters { vector::name<vector::Least> arguments; }            \
  void Run##name parameters {                                                       \
    static const auto kernel = [] {                                                 \
      const Processor processor = DetectProcessor();                                \
      if (processor == Processor::kAvx512) return name##Avx512;                     \
      return processor == Processor::kAvx2 ? name##Avx2 : name##Other;              \
    }();                                                                            \
    kernel arguments;                                                               \
  }
#else
#define FPO_KERNEL(name, parameters, arguments) \
  void Run##name parameters { vector::name<vector::Least> arguments; }
#endif

FPO_KERNEL(Linear, (const LinearTask& task, int64_t begin, int64_t end), (task, begin, end))
FPO_KERNEL(Softcap, (float* x, int64_t count, float cap), (x, count, cap))
FPO_KERNEL(Attend, (const AttendTask& task), (task))
FPO_KERNEL(Largest, (const float* x, int64_t count, float* largest), (x, count, largest))

}  // namespace

void LinearColumns(const LinearTask& task, int64_t begin, int64_t end) {
  RunLinear(task, begin, end);
}
void SoftcapInPlace(float* x, int64_t count, float cap) { RunSoftcap(x, count, cap); }
void Attend(const AttendTask& task) { RunAttend(task); }

int64_t ArgMax(const float* x, int64_t count) {
  float largest = 0;
  RunLargest(x, count, &largest);
  for (int64_t i = 0; i < count; ++i) {
    if (x[i] == largest) return i;
  }
  return -1;  // NaN equals nothing
}

}  // namespace fpo::train
