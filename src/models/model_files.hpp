// A model on disk: what stands in its folder.
#pragma once
#include <string>

#include "io/json_fields.hpp"
#include "io/output_folder.hpp"
#include "statera/model.hpp"

namespace statera {

OutputFiles model_files();

// config.json of a folder. Throws io, also where there is none.
JsonText read_config(const std::string& folder);

// Into a folder, or into the one `below` it ("last/"). Both files are whole before the first takes its place. Throws io.
void write_model(const Model& model, OutputFolder& folder, const std::string& below = "");

}  // namespace statera
