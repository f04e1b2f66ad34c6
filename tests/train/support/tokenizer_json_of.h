#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// A tokenizer.json that says what `spec` says, in the form of the published ones.
inline nlohmann::json TokenizerJsonOf(const TokenizerSpec& spec) {
  using Json = nlohmann::json;
  Json vocabulary = Json::object(), merges = Json::array(), added = Json::array();
  const auto& pieces = spec.bpe.pieces;
  for (size_t id = 0; id < pieces.size(); ++id) vocabulary[pieces[id]] = id;
  for (const BpeMerge& merge : spec.bpe.merges) {
    merges.push_back(
        {pieces[static_cast<size_t>(merge.left)], pieces[static_cast<size_t>(merge.right)]});
  }
  for (const AddedToken& token : spec.added) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", false},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  const Json space = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  const Json back = {{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", space},
          {"pre_tokenizer",
           {{"type", "Split"},
            {"pattern", {{"String", " "}}},
            {"behavior", "MergedWithPrevious"},
            {"invert", false}}},
          {"post_processor", nullptr},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders", Json::array({back, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}})}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<unk>"},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", merges}}}};
}

}  // namespace fpo::train
