// The folder of a comparison: what stands in it beside its models and trials, which are folders of runs.
#pragma once
#include "io/output_folder.hpp"

namespace statera {

OutputFiles comparison_files();

}  // namespace statera
