#pragma once

#include <string>

namespace fpo::train {

// A SentencePiece model with Gemma's flags, trained once per test binary by spm_train on a few
// hundred made-up sentences. kTinyVocabulary pieces. Empty when spm_train is not installed.
inline constexpr int kTinyVocabulary = 420;
const std::string& TinyTokenizer();

// A Gemma-2 config.json of that vocabulary, and the sentences the tokenizer knows.
std::string TinyTextConfig();
std::string TinySentence(int index);

}  // namespace fpo::train
