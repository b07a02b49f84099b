# src/mixers/*/rates.json, built into the lab: a table of mixer and text.
function(statera_embed_rates target)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/mixers/*/rates.json)
  set(rows "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(folder ${file} DIRECTORY)
    get_filename_component(mixer ${folder} NAME)
    file(READ ${file} text)
    string(APPEND rows "    {\"${mixer}\", R\"json(${text})json\"},\n")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/rates.cpp)
  file(CONFIGURE OUTPUT ${out} CONTENT [[// Generated from src/mixers/*/rates.json.
#include "lab/compare/rate_priors.hpp"

namespace statera {

const std::vector<MixerRates>& embedded_rates() {
  static const std::vector<MixerRates> all = {
@rows@  };
  return all;
}

}  // namespace statera
]] @ONLY)
  target_sources(${target} PRIVATE ${out})
endfunction()
