# cmake --install: the libraries, their public headers, the command line, and what find_package(statera) needs.
include(CMakePackageConfigHelpers)

set(STATERA_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/statera)
install(TARGETS statera EXPORT statera-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/statera DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT statera-targets NAMESPACE statera:: DESTINATION ${STATERA_CMAKE_DIR})
if(STATERA_LAB)
  set_target_properties(statera_lab PROPERTIES EXPORT_NAME lab)
  set_target_properties(statera_tokenizers PROPERTIES EXPORT_NAME tokenizers)
  install(TARGETS statera_lab statera_tokenizers EXPORT statera-lab-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT statera-lab-targets NAMESPACE statera:: DESTINATION ${STATERA_CMAKE_DIR})
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/statera-config.cmake.in ${CMAKE_BINARY_DIR}/statera-config.cmake
                              INSTALL_DESTINATION ${STATERA_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/statera-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/statera-config.cmake ${CMAKE_BINARY_DIR}/statera-config-version.cmake DESTINATION ${STATERA_CMAKE_DIR})
