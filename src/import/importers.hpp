#pragma once
#include <span>

#include "import/import.hpp"

namespace statera {

std::span<const Importer* const> importers();

}  // namespace statera
