// How fast a tokenizer file is opened and text is encoded, on one thread.
// usage: fpo_tokenizer_speed TOKENIZER_FILE TEXT_FILE   (each line is a text; prints seconds, bytes
// and ids)

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "train/tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto seconds = [] {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(since).count();
  };
  const double start = seconds();
  const auto tokenizer = fpo::train::Tokenizer::OpenFile(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", std::string(tokenizer.status().message()).c_str());
    return 3;
  }
  const double opened = seconds();
  std::vector<std::string> lines;
  std::ifstream in(argv[2]);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  const double read = seconds();
  size_t bytes = 0, ids = 0;
  for (const std::string& line : lines) {
    const auto encoded = tokenizer->Encode(line);
    if (!encoded.ok()) return 3;
    bytes += line.size();
    ids += encoded->size();
  }
  const double done = seconds() - read;
  std::printf("{\"open_seconds\":%.3f,\"encode_seconds\":%.3f,\"bytes\":%zu,\"ids\":%zu}\n",
              opened - start, done, bytes, ids);
  return 0;
}
