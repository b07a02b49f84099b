// The kinds of published models, one line each. When a line and its folder are deleted, everything else still builds.
#include "import/importers.hpp"

#include "import/hnet/hnet.hpp"

namespace statera {

std::span<const Importer* const> importers() {
  static const Importer* const all[] = {
      &hnet_importer,
      nullptr,  // so that the list may be empty
  };
  return {all, std::size(all) - 1};
}

}  // namespace statera
