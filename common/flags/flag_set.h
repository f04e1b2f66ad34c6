#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace fpo {

// One flag or positional argument, to say more about it: FlagSet::Add(...).Type("FILE").Required().
// A handle, valid as long as the program's flags.
class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}

  Flag& Type(const std::string& name);  // of its value in the help page: "FILE"
  Flag& Description(const std::string& text);
  Flag& ShowDefault();  // the variable's present value, in the help page
  Flag& ShowDefault(const std::string& text);
  Flag& Required();
  Flag& Hidden();             // not in the help page, not in suggestions: for tests
  Flag& OnCommandLineOnly();  // not a key of a --config file
  Flag& OneOf(std::initializer_list<const char*> values);
  Flag& Between(int64_t least, int64_t most);    // both allowed
  Flag& BetweenReal(double least, double most);  // both allowed
  Flag& Positive();
  Flag& NotNegative();
  Flag& Excludes(const std::string& flag);  // of the same command, added before
  Flag& Needs(const Flag& other);

 private:
  CLI::Option* option_;
};

// The flags of a program or of one of its commands, written into variables that must outlive the
// parse. A handle on CLI11's App, whose header costs each file that includes it two seconds of
// compile time; only the .cc files beside this header do. `names` are spelled as CLI11 spells them:
// "--lease", "--coordinator,--server", or "path" for a positional argument.
class FlagSet {
 public:
  explicit FlagSet(CLI::App* app) : app_(app) {}

  Flag Add(const std::string& names, std::string* value, const std::string& help);
  Flag Add(const std::string& names, int32_t* value, const std::string& help);
  Flag Add(const std::string& names, int64_t* value, const std::string& help);
  Flag Add(const std::string& names, uint64_t* value, const std::string& help);
  Flag Add(const std::string& names, double* value, const std::string& help);
  Flag Add(const std::string& names, std::optional<int64_t>* value, const std::string& help);
  Flag Add(const std::string& names, std::optional<double>* value, const std::string& help);
  // May be repeated.
  Flag Add(const std::string& names, std::vector<std::string>* values, const std::string& help);
  // A flag without a value.
  Flag Add(const std::string& names, bool* value, const std::string& help);

  // A duration like 200ms, 15s or 30d; the help page shows its present value as the default.
  Flag AddDuration(const std::string& names, absl::Duration* value, const std::string& help);
  // Whole MiB, kept as bytes.
  Flag AddMib(const std::string& names, int64_t* bytes, const std::string& help);

  // Ends the command's help page: examples, what to know.
  void SetFooter(const std::string& text) const;
  // True after a parse whose command line or --config file had the flag.
  bool Has(const std::string& flag) const;

 private:
  CLI::App* app_;
};

}  // namespace fpo
