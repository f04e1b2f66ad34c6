#pragma once

#include <string>
#include <vector>

namespace fpo::ctl {

// A command line in words, as a shell takes it: 'a b' is one word.
std::vector<std::string> ShellWords(const std::string& line);

// Fails the test unless every error on `err` has a hint that leads somewhere: each command line in
// it is one that fpoctl takes, and none is what was typed.
void ExpectUsefulHints(const std::string& err, const std::vector<std::string>& typed);

// Fails the test unless the line is one that fpoctl takes: no unknown command, option or value, and
// nothing missing.
void ExpectTaken(const std::string& line);

}  // namespace fpo::ctl
