# One way to declare each kind of target. A target links what it includes; the
# layering itself is checked by tools/check_layers.py.

# For all code, generated code too. Whatever changes how a header compiles is set
# here, once: a precompiled header is usable only under identical flags.
add_library(dt_common INTERFACE)
target_compile_features(dt_common INTERFACE cxx_std_20)
target_include_directories(dt_common INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(dt_common INTERFACE BOOST_ASIO_SEPARATE_COMPILATION)
target_compile_options(dt_common INTERFACE -pthread -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.
                                           $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>) # ccache
# GCC collects its garbage rather than use more than 128 MiB: a tenth of the time it compiles for.
target_compile_options(dt_common INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=1000000>)
target_link_options(dt_common INTERFACE -pthread)
if(DT_SANITIZE)
  list(JOIN DT_SANITIZE "," sanitizers)
  target_compile_options(dt_common INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
  target_link_options(dt_common INTERFACE -fsanitize=${sanitizers})
  # Nearly halves the build: an access through null ends in a report of ASan anyway, and its checks
  # are small as calls.
  if("address" IN_LIST DT_SANITIZE)
    target_compile_options(dt_common INTERFACE -fno-sanitize=null
      $<$<CXX_COMPILER_ID:GNU>:--param=asan-instrumentation-with-call-threshold=0>)
  endif()
  # Clang 14 cannot assemble a coroutine whose calls through pointers are checked.
  if("undefined" IN_LIST DT_SANITIZE)
    target_compile_options(dt_common INTERFACE $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
  endif()
  # GCC 12 under a sanitizer misjudges how Asio allocates coroutine frames, and warns of
  # its fences.
  target_compile_options(dt_common INTERFACE
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete;-Wno-stringop-overflow;-Wno-tsan>")
endif()

# Several sources compiled as one: an anonymous namespace then looks as if it were in a header.
if(DT_UNITY)
  target_compile_options(dt_common INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# dt_batches(OUT NAME a.cc b.cc...): with DT_UNITY, generated sources that include those, at
# most 12 each; else the sources as they are. Unlike CMAKE_UNITY_BUILD it names them relative
# to the project, so that ccache finds in one clone what it compiled in another.
function(dt_batches out name)
  list(LENGTH ARGN count)
  math(EXPR batches "(${count} + 11) / 12")
  if(NOT DT_UNITY OR count LESS 2)
    set(${out} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(result)
  set(first 0)
  foreach(batch RANGE 1 ${batches}) # Of equal size, give or take one: cores share them better.
    math(EXPR end "${count} * ${batch} / ${batches}")
    math(EXPR size "${end} - ${first}")
    list(SUBLIST ARGN ${first} ${size} sources)
    list(TRANSFORM sources REPLACE "(.+)" "#include \"${folder}/\\1\"\n")
    list(JOIN sources "" content)
    set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_${batch}.cc)
    file(CONFIGURE OUTPUT ${file} CONTENT "${content}" @ONLY) # Touched only when it changes.
    list(APPEND result ${file})
    set(first ${end})
  endforeach()
  set(${out} ${result} PARENT_SCOPE)
endfunction()

# For code that we wrote.
add_library(dt_options INTERFACE)
target_link_libraries(dt_options INTERFACE dt_common)
target_compile_options(dt_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                            $<$<BOOL:${DT_WERROR}>:-Werror>)
# False alarms of GCC 12's optimiser: moved std::optional and std::string members, and how Asio
# allocates coroutine frames.
target_compile_options(dt_options INTERFACE
  "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-array-bounds;-Wno-mismatched-new-delete;-Wno-stringop-overflow>")

# Of test code a release build optimises nothing: it takes a quarter less time to compile, and
# what it calls is optimised.
add_library(dt_test_options INTERFACE)
target_link_libraries(dt_test_options INTERFACE dt_options)
target_compile_options(dt_test_options INTERFACE "$<$<CONFIG:Release>:-O0;-g0>")

# dt_pch(KIND HEADERS <a.h>... LINKS dep...): headers compiled once for all targets of a
# kind. Names in <>: CMake takes quoted ones for paths in the source tree. LINKS brings
# include paths, and must bring no definition that a user of the kind lacks.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/pch.cc CONTENT "// See dt_pch().\n")
function(dt_pch kind)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINKS" ${ARGN})
  add_library(dt_pch_${kind} OBJECT ${PROJECT_BINARY_DIR}/pch.cc)
  target_link_libraries(dt_pch_${kind} PRIVATE dt_options ${ARG_LINKS})
  target_precompile_headers(dt_pch_${kind} PRIVATE ${ARG_HEADERS})
endfunction()

dt_pch(asio
  HEADERS <boost/asio/as_tuple.hpp> <boost/asio/co_spawn.hpp> <boost/asio/ip/tcp.hpp>
          <boost/asio/ssl/stream.hpp> <boost/asio/steady_timer.hpp>
          <boost/asio/use_awaitable.hpp> <boost/asio/write.hpp> <absl/status/statusor.h>
          <fmt/format.h>
  LINKS Boost::headers OpenSSL::SSL absl::statusor fmt::fmt)
dt_pch(grpc
  HEADERS <grpcpp/grpcpp.h> <absl/status/statusor.h> <fmt/format.h>
  LINKS gRPC::grpc++ absl::statusor fmt::fmt)
if(BUILD_TESTING)
  dt_pch(test
    HEADERS <gmock/gmock.h> <gtest/gtest.h> <boost/asio/co_spawn.hpp>
            <boost/asio/io_context.hpp> <boost/asio/use_awaitable.hpp> <absl/status/statusor.h>
            <fmt/format.h>
    LINKS dt_test_options GTest::gmock Boost::headers absl::statusor fmt::fmt)
endif()

# dt_library(NAME SOURCES a.cc b.cc LINKS dep... [ALONE c.cc] [PCH kind] [COLD] [TESTS a_test.cc]):
# a library and, in one binary NAME_test, all its tests; one ctest entry per TEST. ALONE:
# sources that no batch may hold, since a macro of theirs comes before all headers. COLD: what runs
# once, or for a person, need not be optimised in full, and then takes a quarter less to compile.
function(dt_library name)
  cmake_parse_arguments(ARG "COLD" "PCH" "SOURCES;ALONE;LINKS;TESTS" ${ARGN})
  if(ARG_SOURCES)
    dt_batches(sources ${name} ${ARG_SOURCES})
    add_library(${name} STATIC ${sources} ${ARG_ALONE})
    target_link_libraries(${name} PUBLIC dt_options ${ARG_LINKS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE dt_options ${ARG_LINKS})
  endif()
  if(ARG_PCH)
    target_precompile_headers(${name} REUSE_FROM dt_pch_${ARG_PCH})
  endif()
  if(ARG_COLD)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  if(ARG_TESTS AND BUILD_TESTING)
    dt_batches(tests ${name}_test ${ARG_TESTS})
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} dt_throwaway dt_testing dt_test_options
                                               GTest::gmock_main)
    target_precompile_headers(${name}_test REUSE_FROM dt_pch_test)
    set_target_properties(${name}_test PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    # NO_PRETTY_VALUES: else addresses get into names, and change per run.
    gtest_discover_tests(${name}_test NO_PRETTY_VALUES PROPERTIES TIMEOUT 60)
  endif()
endfunction()

# dt_program(NAME SOURCES main.cc LINKS dep...): an installed binary with DT_VERSION set. Its
# allocator is jemalloc (libs/base/allocator.cc).
function(dt_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS})
  if(DT_JEMALLOC)
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/libs/base/allocator.cc)
    target_link_libraries(${name} PRIVATE ${DT_JEMALLOC})
  endif()
  target_compile_definitions(${name} PRIVATE DT_VERSION="${PROJECT_VERSION}")
  install(TARGETS ${name} COMPONENT ${name})
endfunction()
