// The self-test of an import passes for what was published, and fails for a model that is not it.
#include "import/examples.hpp"

#include <gtest/gtest.h>

#include "core/check.hpp"
#include "import/import.hpp"
#include "support/any_mixer.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

TEST(Examples, TellThePublishedModelFromAnother) {
  STATERA_NEEDS({"hnet", "mamba2", "attention"});  // what its importer makes
  const std::string folder = test::source_path("tests/golden/checkpoints/hnet");
  Model model = import_model(folder, Device::cpu({.threads = 1}));
  const double distance = distance_from_examples(folder, model).value();
  EXPECT_LT(distance, 1e-5);
  require_examples(folder, distance);
  model.init(1);
  const double other = distance_from_examples(folder, model).value();
  EXPECT_GT(other, 1e-2);
  EXPECT_THROW(require_examples(folder, other), Error);
  EXPECT_FALSE(distance_from_examples(test::source_path("configs"), model));
}

}  // namespace
}  // namespace statera
