// What is compared: configs with a name each.
#pragma once
#include <string>
#include <vector>

#include "lab/compare/settings.hpp"
#include "statera/config.hpp"

namespace statera {

struct Candidate {
  std::string
      name;  // unique; "hybrid" for the preset of the comparison's size, else the preset's name or the file's stem
  ModelConfig config;
  int64_t length = 512;  // bytes of a sequence that it is trained with, and of the context that it is judged with
  int64_t batch = 4;     // sequences of a batch

  int64_t positions() const { return batch * length; }
};

// Each candidate at each length of the settings; with several its name says which: "mamba2@2048". A batch has as many
// bytes at every length, as far as whole sequences allow.
std::vector<Candidate> at_lengths(const std::vector<Candidate>& candidates, const CompareSettings& settings);

// "mamba2" (the preset SIZE-mamba2), "base-mamba2", or the path of a JSON file. Throws config for an unknown one (lists
// the kinds), for a name that occurs twice, and for a model that does not read bytes.
std::vector<Candidate> find_candidates(const std::vector<std::string>& specs, const std::string& size);

std::vector<std::string> preset_sizes();  // tiny, small, base
std::vector<std::string> preset_kinds(const std::string& size);

}  // namespace statera
