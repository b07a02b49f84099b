# A room is a folder under src/. Its sources are all *.cpp in it but *_test.cpp, which become one test program for the room.

function(statera_room_sources out)
  set(all "")
  foreach(room ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cpp$")
    list(APPEND all ${sources})
  endforeach()
  set(${out} ${all} PARENT_SCOPE)
endfunction()

function(statera_library name)
  statera_room_sources(sources ${ARGN})
  if(NOT sources)
    add_library(${name} INTERFACE)
    return()
  endif()
  add_library(${name} STATIC ${sources})
  # It may end in a shared library of somebody's. Calls within a file stay what they are without.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${name} PRIVATE -fno-semantic-interposition)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
                                     PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:statera_flags>)
endfunction()

# Half of a build is tests, and what they test is optimised elsewhere.
function(statera_quick_to_compile name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
endfunction()

# Mixers that only tests have, in every test program: they register themselves before main.
function(statera_test_bodies)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/bodies/*/*.cpp)
  add_library(test_bodies OBJECT ${sources})
  target_include_directories(test_bodies PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(test_bodies PRIVATE statera statera_flags nlohmann_json::nlohmann_json)
endfunction()

function(statera_room_tests)
  foreach(room ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*_test.cpp)
    if(sources)
      add_executable(test_${room} ${sources})
      statera_quick_to_compile(test_${room})
      target_include_directories(test_${room} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
      target_compile_definitions(test_${room} PRIVATE STATERA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
      target_link_libraries(test_${room} PRIVATE test_bodies $<TARGET_NAME_IF_EXISTS:statera_lab> statera statera_flags GTest::gtest_main)
      add_test(NAME ${room} COMMAND test_${room})
    endif()
  endforeach()
endfunction()
