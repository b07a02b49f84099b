// The candidates of a comparison: configs with names.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "lab/compare/settings.hpp"
#include "statera/data.hpp"
#include "statera/config.hpp"

namespace statera {

// The parts of the data as a candidate reads them.
struct UnitParts {
  IdSource train, validation, held_out;
  double seconds = 0;  // that it took to train the tokenizer and to encode the training text; 0 for bytes
};

struct Candidate {
  // Unique. "hybrid" for a preset of the comparison's size; otherwise the preset's name, or the file's without its
  // extension.
  std::string name;
  ModelConfig config;
  int64_t length = 512;         // bytes per sequence in training, and of the context that it is judged with
  int64_t batch = 4;            // sequences per batch
  std::string units = "bytes";  // what it reads, by name (lab/units.hpp)
  std::shared_ptr<const UnitParts> parts = {};  // the data in those units; null as long as they are not made

  double bytes_per_id() const { return parts ? parts->train.bytes_per_id() : 1; }
  int64_t ids() const;  // per sequence: as many as stand for `length` bytes, on average
  int64_t positions() const { return batch * ids(); }
};

// Each candidate in each of the units. The name says which, but for bytes: "mamba2:bpe-1024". The config stays one over
// bytes until the units are made.
std::vector<Candidate> in_units(const std::vector<Candidate>& candidates, const std::vector<std::string>& units);

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
