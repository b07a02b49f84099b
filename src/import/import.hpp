// Models of other projects, in the layout in which those publish them: a folder with config.json and
// model.safetensors. Each kind has a folder here that knows its config and the names of its tensors, and one line in
// importers.cpp.
#pragma once
#include <string>

#include "io/json_fields.hpp"
#include "statera/model.hpp"

namespace statera {

// Where a parameter of ours stands in a file of theirs.
struct TheirTensor {
  std::string name;
  bool halves_swapped = false;  // the rows of its second half come first
};

struct Importer {
  const char* name;                             // "hnet"
  bool (*knows)(const JsonText& their_config);  // whether it is a config of this kind, valid or not
  // Throws ErrorCode::unsupported for what the engine lacks, ErrorCode::config for what no such config has.
  ModelConfig (*config)(const JsonText& their_config);
  TheirTensor (*tensor)(const ModelConfig& config, const std::string& ours);
  // the tensor that another one of theirs must repeat; empty: it repeats none
  std::string (*repeated)(const ModelConfig& config, const std::string& theirs);
};

// The importer for a folder's config.json; null: it is a model of ours, or of an unknown kind. Throws ErrorCode::io.
const Importer* importer_for(const std::string& folder);

// Reads a published model, in f32 or f64. Every tensor of the file must be used, with the size that config.json asks
// for. Throws what importer_for() and Importer::config throw, ErrorCode::io for files that are missing or do not fit,
// and ErrorCode::unsupported for weights in int8 or int4.
Model import_model(const std::string& folder, Device device = Device::best(), ModelOptions options = {});

}  // namespace statera
