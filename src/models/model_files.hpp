// The files of a model folder.
#pragma once
#include <map>
#include <string>

#include "io/json_fields.hpp"
#include "io/output_folder.hpp"
#include "statera/model.hpp"

namespace statera {

OutputFiles model_files();

// Reads config.json. Throws ErrorCode::io, also if there is none.
JsonText read_config(const std::string& folder);
// The same of a folder that must be one of ours: ErrorCode::config for the config of another project.
JsonText read_own_config(const std::string& folder);

// What the header of model.safetensors says.
struct WeightsHeader {
  std::string format;  // "statera 2"; empty: the file is of another program
  WeightFormat weights = WeightFormat::f32;
  bool tokenizer = false;                // whether the model reads tokens, those of the folder's tokenizer.json
  int64_t tensors = 0, bytes = 0;        // of all tensors, without the header
  std::map<std::string, int64_t> types;  // number of tensors per element type ("f32")
};

// Reads no values and compares no checksum. Throws as Model::load does if the file is cut or of an unknown format, or
// if its tensors are not those of `layers`, which must have been made from the folder's config.json.
WeightsHeader read_weights_header(const std::string& folder, LanguageModel& layers);

// Writes into the folder, or into a folder `below` it ("last/"); a model over tokens with its tokenizer.json. The files
// are complete before the first one replaces an old one. Throws ErrorCode::io.
void write_model(const Model& model, OutputFolder& folder, const std::string& below = "");

}  // namespace statera
