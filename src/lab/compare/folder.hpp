// The files of a comparison's folder. The folders of its models and trials are folders of runs.
#pragma once
#include "io/output_folder.hpp"

namespace statera {

OutputFiles comparison_files();

}  // namespace statera
