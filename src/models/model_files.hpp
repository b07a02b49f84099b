// A model on disk: what stands in its folder.
#pragma once
#include <map>
#include <string>

#include "io/json_fields.hpp"
#include "io/output_folder.hpp"
#include "statera/model.hpp"

namespace statera {

OutputFiles model_files();

// config.json of a folder. Throws io, also where there is none.
JsonText read_config(const std::string& folder);

// What the header of a folder's weights says.
struct WeightsHeader {
  std::string format;  // "statera 2"; empty: another program wrote them
  WeightFormat weights = WeightFormat::f32;
  int64_t tensors = 0, bytes = 0;        // of the tensors; the header not counted
  std::map<std::string, int64_t> types;  // tensors of each element type, "f32"
};

// Reads no values. Throws what Model::load throws for a file that is cut or of an unknown format, and for tensors that
// are not those of `layers`, which were made from the folder's config.json; a checksum is not compared.
WeightsHeader read_weights_header(const std::string& folder, LanguageModel& layers);

// Into a folder, or into the one `below` it ("last/"). Both files are whole before the first takes its place. Throws
// io.
void write_model(const Model& model, OutputFolder& folder, const std::string& below = "");

}  // namespace statera
