// The candidates of a comparison: configs with names.
#pragma once
#include <string>
#include <vector>

#include "lab/compare/settings.hpp"
#include "statera/config.hpp"

namespace statera {

struct Candidate {
  // Unique. "hybrid" for a preset of the comparison's size; otherwise the preset's name, or the file's without its
  // extension.
  std::string name;
  ModelConfig config;
  int64_t length = 512;  // bytes per sequence in training, and of the context that it is judged with
  int64_t batch = 4;     // sequences per batch

  int64_t positions() const { return batch * length; }
};

// Each candidate at each length of the settings. With several lengths the name says which: "mamba2@2048". A batch has
// the same number of bytes at every length, as far as whole sequences allow.
std::vector<Candidate> at_lengths(const std::vector<Candidate>& candidates, const CompareSettings& settings);

// A spec is "mamba2" (the preset SIZE-mamba2), "base-mamba2", either with an addition ("mamba2+ngram"), or the path of
// a JSON file. Throws ErrorCode::config for an unknown spec (lists the kinds), for a name that occurs twice, and for a
// model that is not over bytes.
std::vector<Candidate> find_candidates(const std::vector<std::string>& specs, const std::string& size);

std::vector<std::string> preset_sizes();  // tiny, small, base
std::vector<std::string> preset_kinds(const std::string& size);
// The kinds that are taken where nobody names one, in this order: `train` takes the first, `compare` all of them
// (configs/usual/kinds.json).
const std::vector<std::string>& usual_kinds();
// Presets of these sizes that have one kind of mixer, whose type is their name: "small-mamba2".
std::vector<std::string> presets_of_one_mixer(const std::vector<std::string>& sizes);
std::string joined(const std::vector<std::string>& words, const std::string& by = ", ");

}  // namespace statera
