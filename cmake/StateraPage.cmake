# The files of report.html, built into the binary: src/lab/report/page/* and Chart.js from the distribution.
find_file(STATERA_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH DOC "Chart.js 3, minified")

function(statera_embed_page target)
  if(NOT STATERA_CHART_JS)
    message(FATAL_ERROR "Chart.js is missing: apt-get install libjs-chart.js, or -DSTATERA_CHART_JS=.../chart.min.js (version 3)")
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/lab/report/page/*)
  set(arrays "")
  set(rows "")
  foreach(file ${files} ${STATERA_CHART_JS})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} array)
    file(READ ${file} bytes HEX)  # numbers: a string literal this long is not portable
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "constexpr unsigned char ${array}[] = {${bytes}};\n")
    string(APPEND rows "  if (name == \"${name}\") return {reinterpret_cast<const char*>(${array}), sizeof ${array}};\n")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/page_files.cpp)
  file(CONFIGURE OUTPUT ${out} CONTENT [[// Generated from src/lab/report/page/* and Chart.js.
#include "lab/report/page_files.hpp"

namespace statera {

namespace {
@arrays@}  // namespace

std::string_view page_file(std::string_view name) {
@rows@  return {};
}

}  // namespace statera
]] @ONLY)
  target_sources(${target} PRIVATE ${out})
endfunction()
