// A model on disk: what stands in its folder.
#pragma once
#include <string>

#include "io/output_folder.hpp"
#include "statera/model.hpp"

namespace statera {

OutputFiles model_files();

// Into a folder that the caller has claimed (OutputFolder). Throws io.
void write_model(const Model& model, const std::string& folder);

}  // namespace statera
