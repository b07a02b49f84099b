# configs/*.json, built into the binary: a table of name and text.
function(statera_embed_presets target)
  file(GLOB configs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/configs/*.json ${CMAKE_SOURCE_DIR}/src/mixers/*/presets/*.json)
  set(rows "")
  foreach(config ${configs})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${config})
    get_filename_component(name ${config} NAME_WE)
    file(READ ${config} text)
    string(APPEND rows "    {\"${name}\", R\"json(${text})json\"},\n")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/presets.cpp)
  file(CONFIGURE OUTPUT ${out} CONTENT [[// Generated from configs/*.json.
#include "models/presets.hpp"

namespace statera {

const std::vector<Preset>& embedded_presets() {
  static const std::vector<Preset> all = {
@rows@  };
  return all;
}

}  // namespace statera
]] @ONLY)
  target_sources(${target} PRIVATE ${out})
endfunction()
