#include "train/model/families/model_family.h"

namespace fpo::train {

const ModelFamily& FamilyOf(Architecture architecture) {
  switch (architecture) {
    case Architecture::kGemma3:
      return kGemma3Family;
    case Architecture::kLlama:
      return kLlamaFamily;
    case Architecture::kQwen3:
      return kQwen3Family;
    case Architecture::kGemma2:
      break;
  }
  return kGemma2Family;
}

}  // namespace fpo::train
