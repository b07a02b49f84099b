// Models in the layout of goombalab/hnet: "arch_layout" as ["m4", ["T8"], "m4"], and per-stage lists of sizes.
#pragma once
#include "import/import.hpp"

namespace statera {

extern const Importer hnet_importer;

}  // namespace statera
