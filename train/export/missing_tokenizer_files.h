#pragma once

#include <string>

#include "train/checkpoint/serving_files.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// Adds tokenizer.json and tokenizer_config.json to what is exported, if `source`, a model folder or
// a checkpoint, lacks them and they can be made of its tokenizer.model and the small files beside
// it. With them transformers needs no package sentencepiece and takes turn marks for special
// tokens. Nothing is added for a folder without a tokenizer; a tokenizer that cannot be read costs
// a warning.
void AddMissingTokenizerFiles(const std::string& source, EventSink& events, ServingFiles* serving);

}  // namespace fpo::train
