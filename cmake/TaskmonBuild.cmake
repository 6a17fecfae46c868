# SPDX-License-Identifier: Apache-2.0
# Dependencies, compiler settings and the two functions that targets are declared with.

find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)
pkg_check_modules(NCURSES REQUIRED IMPORTED_TARGET ncursesw)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

set(TASKMON_SANITIZE "" CACHE STRING "address,undefined or thread; empty for none")
option(TASKMON_FUZZ "Build the fuzzers (clang only)" OFF)
option(TASKMON_WERROR "Warnings are errors" ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(taskmon_options INTERFACE)
target_include_directories(taskmon_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(taskmon_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
if(TASKMON_WERROR)
  target_compile_options(taskmon_options INTERFACE -Werror)
endif()
target_compile_definitions(taskmon_options INTERFACE TASKMON_VERSION="${PROJECT_VERSION}" SPDLOG_FMT_EXTERNAL)
if(TASKMON_SANITIZE)
  target_compile_options(taskmon_options INTERFACE -fsanitize=${TASKMON_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(taskmon_options INTERFACE -fsanitize=${TASKMON_SANITIZE})
endif()
if(TASKMON_SANITIZE STREQUAL "thread")
  add_library(taskmon_absl_mutex SHARED ${CMAKE_SOURCE_DIR}/tests/sanitize/absl_mutex.cc)
  target_compile_options(taskmon_absl_mutex PRIVATE -fsanitize=thread)
  target_link_options(taskmon_absl_mutex PRIVATE -fsanitize=thread)
  target_link_libraries(taskmon_absl_mutex PRIVATE absl::synchronization absl::time)
  target_link_libraries(taskmon_options INTERFACE taskmon_absl_mutex)
  target_compile_options(taskmon_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:SHELL:-include ${CMAKE_SOURCE_DIR}/tests/sanitize/protobuf_layout.h>)
endif()

if(TASKMON_FUZZ)
  # Coverage everywhere, so that the fuzzer sees where its input leads; undefined behaviour ends the run.
  target_compile_options(taskmon_options INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize-recover=all)
endif()

# taskmon_library(name SOURCES a.cc … LIBS other …): a static library of one folder.
function(taskmon_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC taskmon_options ${ARG_LIBS})
endfunction()

# taskmon_test(unit.storage.codec SOURCES codec_test.cc LIBS taskmon_storage [LABELS root] [TIMEOUT 120]):
# a GoogleTest program, one ctest entry, labelled by the first word of its name. A
# GTEST_SKIP inside makes ctest call the whole entry skipped.
function(taskmon_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  find_package(GTest REQUIRED)
  string(REPLACE "." "_" target ${name})
  add_executable(${target} ${ARG_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${ARG_LIBS} taskmon_options GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${target})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(TASKMON_SANITIZE)
    math(EXPR ARG_TIMEOUT "8 * ${ARG_TIMEOUT}")
  endif()
  string(REGEX MATCH "^[a-z0-9]+" kind ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${kind};${ARG_LABELS}"
                       SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()
