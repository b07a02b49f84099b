// What is compared: configs with a name each.
#pragma once
#include <string>
#include <vector>

#include "statera/config.hpp"

namespace statera {

struct Candidate {
  std::string name;  // unique; "hybrid" for the preset of the comparison's size, else the preset's name or the file's stem
  ModelConfig config;
};

// "mamba2" (the preset SIZE-mamba2), "base-mamba2", or the path of a JSON file. Throws config for an unknown one (lists the kinds), for a
// name that occurs twice, and for a model that does not read bytes.
std::vector<Candidate> find_candidates(const std::vector<std::string>& specs, const std::string& size);

std::vector<std::string> preset_sizes();                        // tiny, small, base
std::vector<std::string> preset_kinds(const std::string& size);

}  // namespace statera
