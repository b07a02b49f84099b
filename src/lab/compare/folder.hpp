// The folder of a comparison: its files, and the folders of its models and trials, which are folders of runs.
#pragma once
#include "io/output_folder.hpp"

namespace statera {

OutputFiles comparison_files();

}  // namespace statera
